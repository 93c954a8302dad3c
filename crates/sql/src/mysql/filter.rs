//! What a filter selects, in a statement's text.

use sqlx::AssertSqlSafe;
use tokenkeep_core::{Anchor, Timestamp, TokenFilter, TokenId};

use super::statements::{Statement, bind_id, bytes, filled};
use crate::dialect::Place;

/// A statement about the active records that match, in order of their ids.
///
/// The index of the first anchor is named: with others at hand a server guesses, and goes through the
/// whole table by id where it expects to find enough matches soon.
pub(super) fn select(
    columns: &str,
    filter: &TokenFilter,
    after: Option<&TokenId>,
    limit: usize,
    now: Timestamp,
) -> Statement {
    let after_id = match after {
        Some(_) => "id > ? AND ",
        None => "",
    };
    let (index, conditions) = (index(filter), conditions(filter));
    let text = format!(
        "SELECT {columns} FROM tokens FORCE INDEX ({index}) WHERE {after_id}{conditions} \
         ORDER BY id LIMIT ?"
    );
    let query = sqlx::query(AssertSqlSafe(text));
    let query = match after {
        Some(id) => bind_id(query, id),
        None => query,
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    bind(query, filter, now).bind(limit)
}

/// A statement about the revocations in a part of the feed: of each the successor, if that is active and
/// matches, else nothing.
pub(super) fn select_successors(
    filter: &TokenFilter,
    after: Place,
    last: Place,
    now: Timestamp,
) -> Statement {
    let conditions = conditions(filter);
    let text = format!(
        "SELECT id FROM (SELECT successor FROM tokens AS feed FORCE INDEX (tokens_feed) \
         WHERE revocation > ? AND revocation <= ?) AS part \
         LEFT JOIN tokens FORCE INDEX (PRIMARY) ON id = part.successor AND {conditions}"
    );
    let query = sqlx::query(AssertSqlSafe(text));
    let query = query.bind(after.as_column()).bind(last.as_column());
    bind(query, filter, now)
}

/// Locks those of a list that are active and match, in order of the ids.
pub(super) fn lock(filter: &TokenFilter, ids: &[TokenId], now: Timestamp) -> Statement {
    let conditions = conditions(filter);
    let (list, ids) = filled(ids);
    let text = format!(
        "SELECT id FROM tokens FORCE INDEX (PRIMARY) WHERE id IN ({list}) AND {conditions} \
         ORDER BY id FOR UPDATE"
    );
    let query = ids.fold(sqlx::query(AssertSqlSafe(text)), bind_id);
    bind(query, filter, now)
}

/// Locks a token, whatever its state; gives its successor, if it has one, and whether it is active and
/// matches.
pub(super) fn lock_one(filter: &TokenFilter, id: &TokenId, now: Timestamp) -> Statement {
    let conditions = conditions(filter);
    let text = format!(
        "SELECT successor, CAST(({conditions}) AS SIGNED) FROM tokens WHERE id = ? FOR UPDATE"
    );
    let query = sqlx::query(AssertSqlSafe(text));
    bind_id(bind(query, filter, now), id)
}

/// What is asked of a record, with marks for the values that [`bind`] gives.
fn conditions(filter: &TokenFilter) -> String {
    let mut conditions = String::new();
    for (column, _) in texts(filter) {
        conditions.push_str(column);
        conditions.push_str(" = ? AND ");
    }
    if filter.issued_before.is_some() {
        conditions.push_str("issued_at < ? AND ");
    }
    conditions + "revoked_at IS NULL AND expires_at > ?"
}

fn bind(query: Statement, filter: &TokenFilter, now: Timestamp) -> Statement {
    let query = texts(filter).fold(query, |query, (_, text)| query.bind(text));
    let query = match filter.issued_before {
        Some(instant) => query.bind(instant.as_micros()),
        None => query,
    };
    query.bind(now.as_micros())
}

/// The columns that a filter asks a text of, and the texts.
fn texts(filter: &TokenFilter) -> impl Iterator<Item = (&'static str, &[u8])> {
    let TokenFilter {
        user_id,
        tenant_id,
        domain_id,
        trust_id,
        consumer_id,
        audit_id,
        audit_chain_id,
        issued_before: _,
    } = filter;
    [
        ("user_id", user_id),
        ("tenant_id", tenant_id),
        ("domain_id", domain_id),
        ("trust_id", trust_id),
        ("consumer_id", consumer_id),
        ("audit_id", audit_id),
        ("audit_chain_id", audit_chain_id),
    ]
    .into_iter()
    .filter_map(|(column, text)| Some((column, bytes(text.as_ref()?))))
}

/// The index of the anchor by which R8 counts the cost.
fn index(filter: &TokenFilter) -> &'static str {
    let first = Anchor::ALL
        .into_iter()
        .find(|anchor| anchor.wanted(filter).is_some());
    match first {
        Some(Anchor::Trust) => "tokens_trust",
        Some(Anchor::User) => "tokens_user",
        Some(Anchor::Consumer) => "tokens_consumer",
        Some(Anchor::Tenant) => "tokens_tenant",
        Some(Anchor::Domain) => "tokens_domain",
        // The driver lets no filter without an anchor through.
        None => "PRIMARY",
    }
}
