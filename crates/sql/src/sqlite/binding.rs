//! Values on their way into a statement, and rows on their way out of it.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, Sqlite};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{ErrorKind, Text, Timestamp, TokenFilter, TokenId, TokenRecord};

use super::failure::{failed, unreadable};
use super::filter::Conditions;
use super::statements;
use crate::row::{self, Columns};

pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

pub(super) fn query(text: String) -> Query<'static> {
    // Made of this crate's own text; every value is bound.
    sqlx::query(AssertSqlSafe(text))
}

/// The size in which so many ids are bound: the smallest that holds them.
pub(super) fn size_for(count: usize) -> usize {
    let mut sizes = statements::SIZES.into_iter().rev();
    sizes.find(|size| *size >= count).unwrap_or(count)
}

/// Binds the ids, and the last of them again for what is left of the size.
pub(super) fn with_ids(text: String, ids: &[TokenId]) -> Query<'static> {
    let padding = ids.last().into_iter().cycle();
    let padded = ids.iter().chain(padding).take(size_for(ids.len()));
    padded.fold(query(text), |query, id| query.bind(id.as_bytes().to_vec()))
}

/// The records in parts of the sizes in which they are bound.
pub(super) fn split(mut records: &[TokenRecord]) -> Vec<&[TokenRecord]> {
    let mut parts = Vec::new();
    for size in statements::SIZES {
        while let Some((part, rest)) = records.split_at_checked(size) {
            parts.push(part);
            records = rest;
        }
    }
    parts
}

pub(super) fn insertion<'q>(records: &'q [TokenRecord], now: Timestamp) -> Query<'q> {
    let mut query = sqlx::query(AssertSqlSafe(statements::insert(records.len())));
    for record in records {
        let optional = |text: &'q Option<Text>| text.as_ref().map(|text| text.as_str());
        query = query
            .bind(&record.id.as_bytes()[..])
            .bind(record.audit_id.as_str())
            .bind(record.audit_chain_id.as_str())
            .bind(record.user_id.as_str())
            .bind(optional(&record.tenant_id))
            .bind(optional(&record.domain_id))
            .bind(optional(&record.trust_id))
            .bind(optional(&record.consumer_id))
            .bind(record.issued_at.as_micros())
            .bind(record.expires_at.as_micros())
            .bind(&record.data[..]);
    }
    query.bind(now.as_micros())
}

pub(super) fn page<'q>(
    text: String,
    conditions: &Conditions<'q>,
    after: Option<TokenId>,
    now: Timestamp,
    limit: usize,
) -> Query<'q> {
    // Every id is greater than no bytes at all.
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    with_conditions(text, conditions)
        .bind(after)
        .bind(now.as_micros())
        .bind(as_integer(limit))
}

/// Binds what the conditions' own text has marks for.
pub(super) fn with_conditions<'q>(text: String, conditions: &Conditions<'q>) -> Query<'q> {
    let mut query = sqlx::query(AssertSqlSafe(text)).bind(conditions.value.as_str());
    for (_, value) in &conditions.narrowed {
        query = query.bind(value.as_str());
    }
    match conditions.issued_before {
        Some(issued_before) => query.bind(issued_before),
        None => query,
    }
}

pub(super) fn conditions(filter: &TokenFilter) -> Outcome<Conditions<'_>> {
    let missing = || Failure::refused(ErrorKind::InvalidInput, "filter has no anchor");
    Conditions::of(filter).ok_or_else(missing)
}

pub(super) fn records(rows: &[SqliteRow]) -> Outcome<Vec<TokenRecord>> {
    rows.iter()
        .map(|row| row::record(row).map_err(unreadable))
        .collect()
}

pub(super) fn ids(rows: &[SqliteRow]) -> Outcome<Vec<TokenId>> {
    let id = |row: &SqliteRow| {
        let bytes = row.try_get(0).map_err(failed)?;
        row::id(bytes).map_err(unreadable)
    };
    rows.iter().map(id).collect()
}

/// The id in the first column, if one is there.
pub(super) fn optional_id(row: &SqliteRow) -> Outcome<Option<TokenId>> {
    let bytes = row.optional_bytes(0).map_err(unreadable)?;
    bytes.map(row::id).transpose().map_err(unreadable)
}

pub(super) fn first(rows: &[SqliteRow]) -> Outcome<&SqliteRow> {
    let missing = || Failure::refused(ErrorKind::Corrupt, "store: its row is missing");
    rows.first().ok_or_else(missing)
}

pub(super) fn as_integer(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
