//! The statements that are the same for every call, but for the number of ids or records in them.

use std::iter::repeat_n;
use std::sync::Arc;

use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySql};
use tokenkeep_core::{Text, TokenId, TokenRecord};

use crate::row::RECORD;

/// The most records in one insertion, and ids in one look-up or revocation of single tokens.
pub(super) const MAX_BATCH: usize = 64;

/// The most ids in one statement of a bulk call. MariaDB makes a join with a table of values out of
/// lists of a thousand, and scans the other side of it.
pub(super) const MAX_LIST: usize = 512;

pub(super) const REPLACE: &str = "UPDATE tokens SET data = ?, expires_at = ?, version = ? \
     WHERE id = ? AND version = ? AND revoked_at IS NULL AND expires_at > ?";

pub(super) const OLD_TOKEN: &str =
    "SELECT revoked_at, successor FROM tokens WHERE id = ? AND expires_at > ? FOR UPDATE";

/// The index is named, because a server that takes most records for expired would rather scan, and
/// lock, all of them.
pub(super) const EXPIRED: &str = "SELECT id FROM tokens FORCE INDEX (tokens_expiry) \
     WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ? FOR UPDATE SKIP LOCKED";

pub(super) const HAS_EXPIRED: &str = "SELECT CAST(EXISTS (\
     SELECT 1 FROM tokens FORCE INDEX (tokens_expiry) WHERE expires_at <= ?) AS SIGNED)";

/// A statement with a list of ids in it, once for each length of list that is prepared.
///
/// Shorter lists are filled up with their last id, so that few statements are prepared.
#[derive(Debug)]
pub(super) struct Listed(Vec<Arc<str>>);

impl Listed {
    /// For lists of up to `longest` ids, which is a power of two; `text` puts a list in its place.
    fn new(longest: usize, text: impl Fn(&str) -> String) -> Self {
        let lengths = (0..).map(|power| 1 << power);
        let texts = lengths
            .take_while(|length| *length <= longest)
            .map(|length| text(&marks("?", length)).into());
        Self(texts.collect())
    }

    /// The statement for so many ids, and the ids that fill its list.
    pub(super) fn of<'a>(
        &self,
        ids: &'a [TokenId],
    ) -> (
        AssertSqlSafe<Arc<str>>,
        impl Iterator<Item = &'a TokenId> + use<'a>,
    ) {
        let place = length(ids).ilog2() as usize;
        let text = self.0.get(place).or(self.0.last()).cloned();
        (AssertSqlSafe(text.unwrap_or_default()), filling(ids))
    }
}

/// A list in a statement's text, and the ids that fill it.
pub(super) fn filled(ids: &[TokenId]) -> (String, impl Iterator<Item = &TokenId>) {
    (marks("?", length(ids)), filling(ids))
}

/// How long the list for so many ids is.
fn length(ids: &[TokenId]) -> usize {
    ids.len().max(1).next_power_of_two()
}

fn filling(ids: &[TokenId]) -> impl Iterator<Item = &TokenId> {
    let last = ids.last().into_iter().cycle();
    ids.iter().chain(last).take(length(ids))
}

/// The statements that are made when a store is opened.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) fetch: Listed,
    insert: Vec<Arc<str>>,
    /// Locks those of a list that are active, in order of the ids.
    pub(super) lock: Listed,
    /// Removes those of a list that have expired.
    ///
    /// A server goes through all of a small store for a list, and waits for what others hold locked
    /// there: with the index named and another condition beside the list it does not.
    pub(super) remove_expired: Listed,
    /// Which ids of a list are taken by records that have not expired.
    pub(super) taken: Listed,
}

impl Statements {
    pub(super) fn new() -> Self {
        Self {
            fetch: Listed::new(MAX_BATCH, |list| {
                format!("SELECT {RECORD} FROM tokens WHERE id IN ({list})")
            }),
            insert: (1..=MAX_BATCH)
                .map(|count| insertion(count).into())
                .collect(),
            lock: Listed::new(MAX_LIST, |list| {
                format!(
                    "SELECT id FROM tokens FORCE INDEX (PRIMARY) WHERE id IN ({list}) \
                     AND revoked_at IS NULL AND expires_at > ? ORDER BY id FOR UPDATE"
                )
            }),
            remove_expired: Listed::new(MAX_LIST, |list| {
                format!(
                    "DELETE tokens FROM tokens FORCE INDEX (PRIMARY) \
                     WHERE id IN ({list}) AND expires_at <= ?"
                )
            }),
            taken: Listed::new(MAX_BATCH, |list| {
                format!("SELECT id FROM tokens WHERE id IN ({list}) AND expires_at > ?")
            }),
        }
    }

    /// Stores so many new records.
    pub(super) fn insert(&self, records: &[&TokenRecord]) -> Statement {
        let place = records.len().saturating_sub(1);
        let text = self.insert.get(place).cloned().unwrap_or_default();
        let query = sqlx::query(AssertSqlSafe(text));
        records.iter().copied().fold(query, bind_record)
    }
}

/// A statement with its values.
pub(super) type Statement = Query<'static, MySql, MySqlArguments>;

fn insertion(count: usize) -> String {
    let rows = marks("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)", count);
    format!(
        "INSERT INTO tokens (id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, \
         consumer_id, issued_at, expires_at, version, data) VALUES {rows}"
    )
}

fn bind_record(query: Statement, record: &TokenRecord) -> Statement {
    let TokenRecord {
        id,
        audit_id,
        audit_chain_id,
        user_id,
        tenant_id,
        domain_id,
        trust_id,
        consumer_id,
        issued_at,
        expires_at,
        version: _,
        state: _,
        data,
    } = record;
    let query = bind_id(query, id);
    let query = [audit_id, audit_chain_id, user_id]
        .into_iter()
        .fold(query, |query, text| query.bind(bytes(text)));
    let query = [tenant_id, domain_id, trust_id, consumer_id]
        .into_iter()
        .fold(query, |query, text| query.bind(text.as_ref().map(bytes)));
    query
        .bind(issued_at.as_micros())
        .bind(expires_at.as_micros())
        .bind(data.as_ref())
}

/// Gives a statement an id.
pub(super) fn bind_id(query: Statement, id: &TokenId) -> Statement {
    query.bind(id.as_bytes().as_slice())
}

/// A text as the server is to compare it.
pub(super) fn bytes(text: &Text) -> &[u8] {
    text.as_str().as_bytes()
}

/// So many of the same, between commas.
fn marks(mark: &str, count: usize) -> String {
    repeat_n(mark, count).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u8) -> Vec<TokenId> {
        (0..count)
            .map(|byte| TokenId::from_bytes([byte; 32]))
            .collect()
    }

    #[test]
    fn a_list_is_filled_up_with_its_last_id() {
        let statements = Statements::new();
        for (count, length) in [(1, 1), (2, 2), (3, 4), (5, 8), (33, 64), (64, 64)] {
            let ids = ids(count);
            let (text, list) = statements.fetch.of(&ids);
            assert_eq!(text.0.matches('?').count(), length);
            let list: Vec<_> = list.collect();
            assert_eq!(list.len(), length);
            assert!(
                list[ids.len()..]
                    .iter()
                    .all(|id| **id == ids[ids.len() - 1])
            );
        }
    }

    #[test]
    fn an_insertion_has_a_mark_for_each_value() {
        for count in [1, 2, MAX_BATCH] {
            assert_eq!(insertion(count).matches('?').count(), count * 11);
        }
    }
}
