//! Every statement on the tables.

use crate::row::{RECORD, REVOKED};

/// Begins a transaction that writes: no other process can come between its look and its write.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
/// Ends it.
pub(super) const COMMIT: &str = "COMMIT";
/// Undoes it.
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// Proves that the file can be read, by the store's id.
pub(super) const PROOF: &str = "SELECT id FROM store";

/// The store's id, the library's version, and how the file is kept.
pub(super) const CHECK: &str =
    "SELECT id, sqlite_version(), journal_mode FROM store, pragma_journal_mode";

/// The sizes in which ids and records are bound, so that few texts have to be prepared.
pub(super) const SIZES: [usize; 4] = [64, 16, 4, 1];

/// Reads so many records by id.
pub(super) fn fetch(count: usize) -> String {
    format!(
        "SELECT {RECORD} FROM tokens WHERE id IN ({})",
        marks(count, "?")
    )
}

/// Stores so many records, each over an expired one if need be; gives the ids of those stored.
pub(super) fn insert(count: usize) -> String {
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, NULL, NULL, ?, NULL)";
    format!(
        "INSERT INTO tokens ({RECORD}, revocation) VALUES {} \
         ON CONFLICT (id) DO UPDATE SET audit_id = excluded.audit_id, \
         audit_chain_id = excluded.audit_chain_id, user_id = excluded.user_id, \
         tenant_id = excluded.tenant_id, domain_id = excluded.domain_id, \
         trust_id = excluded.trust_id, consumer_id = excluded.consumer_id, \
         issued_at = excluded.issued_at, expires_at = excluded.expires_at, \
         version = 1, revoked_at = NULL, successor = NULL, data = excluded.data, \
         revocation = NULL \
         WHERE tokens.expires_at <= ? RETURNING id",
        marks(count, row)
    )
}

/// Revokes those of so many ids that are active; gives their ids.
pub(super) fn revoke(count: usize) -> String {
    let chosen = format!(
        "SELECT id FROM tokens WHERE id IN ({}) AND revoked_at IS NULL AND expires_at > ?",
        marks(count, "?")
    );
    revoke_chosen(&chosen)
}

/// Revokes the next active tokens of a filter's conditions in order of their ids; gives their ids.
pub(super) fn revoke_page(conditions: &str) -> String {
    let chosen =
        format!("SELECT id {conditions} AND id > ? AND expires_at > ? ORDER BY id LIMIT ?");
    revoke_chosen(&chosen)
}

/// Revokes one token if it is active and of a filter's conditions; gives its id then.
pub(super) fn revoke_matching(conditions: &str) -> String {
    let chosen = format!("SELECT id {conditions} AND expires_at > ? AND id = ?");
    revoke_chosen(&chosen)
}

/// Gives, for each revocation in a part of the feed, its successor if that is active and of a filter's
/// conditions.
pub(super) fn successors(conditions: &str) -> String {
    format!(
        "SELECT (SELECT id {conditions} AND expires_at > ? AND id = feed.successor) \
         FROM tokens AS feed INDEXED BY tokens_feed WHERE revocation > ? AND revocation <= ?"
    )
}

/// The token that took another's place.
pub(super) const SUCCESSOR: &str =
    "SELECT successor FROM tokens WHERE id = ? AND successor IS NOT NULL";

/// Tells how many places the feed has given.
pub(super) const LAST_PLACE: &str = "SELECT revocations FROM store";

/// Gives the chosen the next places in the feed, in order of their ids, and the time that is bound
/// last.
fn revoke_chosen(chosen: &str) -> String {
    format!(
        "WITH chosen AS MATERIALIZED ({chosen}), \
         place AS (SELECT id AS target, (SELECT revocations FROM store) \
         + row_number() OVER (ORDER BY id) AS nth FROM chosen) \
         UPDATE tokens SET revoked_at = ?, revocation = place.nth FROM place \
         WHERE tokens.id = place.target RETURNING tokens.id"
    )
}

/// Gives the next active records of a filter's conditions in order of their ids.
pub(super) fn list(conditions: &str) -> String {
    format!("SELECT {RECORD} {conditions} AND id > ? AND expires_at > ? ORDER BY id LIMIT ?")
}

/// Gives the next of the feed.
pub(super) fn revoked() -> String {
    format!(
        "SELECT {REVOKED} FROM tokens INDEXED BY tokens_feed \
         WHERE revocation > ? AND expires_at > ? ORDER BY revocation LIMIT ?"
    )
}

/// Changes an active record of one version.
pub(super) const REPLACE: &str = "UPDATE tokens SET expires_at = ?, data = ?, version = version + 1 \
     WHERE id = ? AND version = ? AND revoked_at IS NULL AND expires_at > ?";

/// What an unexpired token's state is.
pub(super) const STATE: &str =
    "SELECT revoked_at, successor FROM tokens WHERE id = ? AND expires_at > ?";

/// Revokes a token that a successor takes the place of.
pub(super) const SUCCEED: &str = "UPDATE tokens SET revoked_at = ?, successor = ?, \
     revocation = (SELECT revocations + 1 FROM store) WHERE id = ?";

/// Removes the next expired records in order of their expiry.
pub(super) const FLUSH: &str = "DELETE FROM tokens WHERE rowid IN (SELECT rowid FROM tokens \
     INDEXED BY tokens_by_expiry WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?)";

/// Tells whether an expired record is stored.
pub(super) const HAS_EXPIRED: &str =
    "SELECT EXISTS (SELECT 1 FROM tokens INDEXED BY tokens_by_expiry WHERE expires_at <= ?)";

fn marks(count: usize, mark: &str) -> String {
    vec![mark; count].join(", ")
}

/// All of the above, in each size and for each anchor, for the test of their plans.
#[cfg(test)]
pub(super) fn every() -> Vec<String> {
    let mut every = [
        PROOF,
        CHECK,
        LAST_PLACE,
        SUCCESSOR,
        REPLACE,
        STATE,
        SUCCEED,
        FLUSH,
        HAS_EXPIRED,
    ]
    .map(str::to_owned)
    .to_vec();
    for size in SIZES {
        every.extend([fetch(size), insert(size), revoke(size)]);
    }
    for conditions in super::filter::every() {
        every.extend([
            list(&conditions),
            revoke_page(&conditions),
            revoke_matching(&conditions),
            successors(&conditions),
        ]);
    }
    every.push(revoked());
    every
}
