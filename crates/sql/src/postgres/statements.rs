//! The texts of the statements that are always the same, made once for a namespace.
//!
//! Each is a transaction of its own. Where one both looks and writes, the rows it is about are locked
//! first, in the order of their ids; the locking read sees their newest committed state, so what it
//! gives is still true when the write comes. The store's row is locked last and only if something
//! is revoked, and held to the commit, so the places in the feed become visible in their order.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::namespace::Namespace;
use crate::row::{RECORD, REVOKED};

/// The columns that a new record brings, in the order in which they are bound.
const NEW: &str = "id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, \
     consumer_id, issued_at, expires_at, data";

/// What makes a stored, expired row the new record wholly.
const TAKE_OVER: &str = "ON CONFLICT (id) DO UPDATE SET \
     audit_id = excluded.audit_id, audit_chain_id = excluded.audit_chain_id, \
     user_id = excluded.user_id, tenant_id = excluded.tenant_id, domain_id = excluded.domain_id, \
     trust_id = excluded.trust_id, consumer_id = excluded.consumer_id, \
     issued_at = excluded.issued_at, expires_at = excluded.expires_at, data = excluded.data, \
     version = 1, revoked_at = NULL, successor = NULL, revocation = NULL";

/// The statements of one namespace.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) tokens: String,
    pub(super) store: String,
    pub(super) fetch_one: SqlStr,
    pub(super) fetch_many: SqlStr,
    pub(super) insert_one: SqlStr,
    pub(super) insert_many: SqlStr,
    pub(super) revoke_one: SqlStr,
    pub(super) revoke_many: SqlStr,
    pub(super) revoked: SqlStr,
    pub(super) last_place: SqlStr,
    pub(super) replace: SqlStr,
    pub(super) rotate: SqlStr,
    pub(super) flush: SqlStr,
    pub(super) has_expired: SqlStr,
    pub(super) check: SqlStr,
}

impl Statements {
    pub(super) fn new(namespace: &Namespace) -> Self {
        let tokens = namespace.table("tokens");
        let store = namespace.table("store");
        Self {
            fetch_one: text(format!("SELECT {RECORD} FROM {tokens} WHERE id = $1")),
            fetch_many: text(format!("SELECT {RECORD} FROM {tokens} WHERE id = ANY($1)")),
            insert_one: text(insert_one(&tokens)),
            insert_many: text(insert_many(&tokens)),
            revoke_one: text(revoke_one(&tokens, &store)),
            revoke_many: text(revoke_many(&tokens, &store)),
            revoked: text(revoked(&tokens)),
            last_place: text(format!("SELECT revocations FROM {store}")),
            replace: text(replace(&tokens)),
            rotate: text(rotate(&tokens, &store)),
            flush: text(flush(&tokens)),
            has_expired: text(has_expired(&tokens)),
            check: text(check(&store)),
            tokens,
            store,
        }
    }
}

/// A text that is made of constants, column names and a checked namespace, and of no value.
pub(super) fn text(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}

/// $1 to $11: the record; $12: now.
fn insert_one(tokens: &str) -> String {
    format!(
        "INSERT INTO {tokens} AS stored ({NEW}, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1) \
         {TAKE_OVER} WHERE stored.expires_at <= $12 RETURNING id"
    )
}

/// $1 to $11: the records, an array for each column, sorted by id; $12: now.
fn insert_many(tokens: &str) -> String {
    format!(
        "INSERT INTO {tokens} AS stored ({NEW}, version) \
         SELECT new.*, 1 FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS new ({NEW}) \
         {TAKE_OVER} WHERE stored.expires_at <= $12 RETURNING id"
    )
}

/// $1: an id; $2: now.
fn revoke_one(tokens: &str, store: &str) -> String {
    format!(
        "WITH target AS (SELECT id FROM {tokens} WHERE id = $1 AND (revoked_at IS NULL) IS TRUE \
         AND (expires_at > $2) IS TRUE FOR UPDATE), \
         place AS (\
         UPDATE {store} AS store SET revocations = store.revocations + 1 FROM target \
         RETURNING store.revocations AS taken) \
         UPDATE {tokens} AS token SET revoked_at = $2, revocation = place.taken \
         FROM place WHERE token.id = $1 RETURNING token.id"
    )
}

/// $1: ids; $2: now.
fn revoke_many(tokens: &str, store: &str) -> String {
    let target = format!(
        "SELECT id FROM {tokens} WHERE id = ANY($1) AND (revoked_at IS NULL) IS TRUE \
         AND (expires_at > $2) IS TRUE ORDER BY id FOR UPDATE"
    );
    let places = places(store);
    let revoke = revoke_targets(tokens, "$2");
    format!("WITH target AS ({target}), {places} {revoke}")
}

/// Gives as many places in the feed as there are targets, and none where there are none.
pub(super) fn places(store: &str) -> String {
    format!(
        "place AS (\
         UPDATE {store} AS store SET revocations = store.revocations + counted.n \
         FROM (SELECT count(*) AS n FROM target) AS counted WHERE counted.n > 0 \
         RETURNING store.revocations - counted.n AS taken), \
         ranked AS (SELECT id, row_number() OVER (ORDER BY id) AS rank FROM target)"
    )
}

/// Revokes the targets, which are locked, and gives their ids.
pub(super) fn revoke_targets(tokens: &str, now: &str) -> String {
    format!(
        "UPDATE {tokens} AS token SET revoked_at = {now}, revocation = place.taken + ranked.rank \
         FROM ranked, place WHERE token.id = ranked.id RETURNING token.id"
    )
}

/// $1: a place; $2: now; $3: how many. The expiry is no use as an index here, and written so.
fn revoked(tokens: &str) -> String {
    format!(
        "SELECT {REVOKED} FROM {tokens} \
         WHERE revocation > $1 AND (expires_at > $2) IS TRUE ORDER BY revocation LIMIT $3"
    )
}

/// $1: an id; $2: the version expected; $3: expiry; $4: data; $5: now.
fn replace(tokens: &str) -> String {
    format!(
        "UPDATE {tokens} SET expires_at = $3, data = $4, version = version + 1 \
         WHERE id = $1 AND version = $2 AND (revoked_at IS NULL) IS TRUE \
         AND (expires_at > $5) IS TRUE"
    )
}

/// $1 to $11: the successor; $12: now; $13: the old token's id.
fn rotate(tokens: &str, store: &str) -> String {
    format!(
        "WITH old AS (\
         SELECT expires_at, revoked_at, successor FROM {tokens} WHERE id = $13 FOR UPDATE), \
         next AS (\
         INSERT INTO {tokens} AS stored ({NEW}, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1 FROM old \
         WHERE old.revoked_at IS NULL AND old.expires_at > $12 \
         {TAKE_OVER} WHERE stored.expires_at <= $12 RETURNING id), \
         place AS (\
         UPDATE {store} AS store SET revocations = store.revocations + 1 FROM next \
         RETURNING store.revocations AS taken, next.id AS successor), \
         used AS (\
         UPDATE {tokens} AS token \
         SET revoked_at = $12, successor = place.successor, revocation = place.taken \
         FROM place WHERE token.id = $13 RETURNING token.id) \
         SELECT expires_at, revoked_at, successor, (SELECT count(*) FROM used) FROM old"
    )
}

/// $1: now; $2: how many; $3: the expiry to begin at. The ids are chosen once, whatever the plan.
fn flush(tokens: &str) -> String {
    format!(
        "DELETE FROM {tokens} WHERE id = ANY(ARRAY(\
         SELECT id FROM {tokens} WHERE expires_at <= $1 AND expires_at >= $3 \
         ORDER BY expires_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING expires_at"
    )
}

/// $1: now.
fn has_expired(tokens: &str) -> String {
    format!("SELECT id FROM {tokens} WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT 1")
}

/// $1: the tokens' table; $2: the store's.
fn check(store: &str) -> String {
    let setting = |name: &str| format!("pg_catalog.current_setting('{name}')");
    let may = |table: &str, privilege: &str| {
        format!("pg_catalog.has_table_privilege({table}, '{privilege}')")
    };
    format!(
        "SELECT id, {}, {}, {}, {}, pg_catalog.pg_is_in_recovery(), {}, {}, {}, {}, {} \
         FROM {store}",
        setting("server_version"),
        setting("fsync"),
        setting("full_page_writes"),
        setting("transaction_read_only"),
        may("$1", "SELECT"),
        may("$1", "INSERT"),
        may("$1", "UPDATE"),
        may("$1", "DELETE"),
        may("$2", "UPDATE"),
    )
}
