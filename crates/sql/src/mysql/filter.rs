//! What a filter selects, in a statement's text.

use sqlx::AssertSqlSafe;
use tokenkeep_core::{Anchor, Timestamp, TokenFilter, TokenId};

use super::statements::{Statement, bind_id, bytes};

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
    let mut conditions = String::new();
    let texts: Vec<_> = texts(filter).collect();
    for (column, _) in &texts {
        conditions.push_str(column);
        conditions.push_str(" = ? AND ");
    }
    if after.is_some() {
        conditions.push_str("id > ? AND ");
    }
    if filter.issued_before.is_some() {
        conditions.push_str("issued_at < ? AND ");
    }
    let index = index(filter);
    let text = format!(
        "SELECT {columns} FROM tokens FORCE INDEX ({index}) WHERE {conditions}\
         revoked_at IS NULL AND expires_at > ? ORDER BY id LIMIT ?"
    );
    let query = sqlx::query(AssertSqlSafe(text));
    let query = texts
        .into_iter()
        .fold(query, |query, (_, text)| query.bind(text));
    let query = match after {
        Some(id) => bind_id(query, id),
        None => query,
    };
    let query = match filter.issued_before {
        Some(instant) => query.bind(instant.as_micros()),
        None => query,
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.bind(now.as_micros()).bind(limit)
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
