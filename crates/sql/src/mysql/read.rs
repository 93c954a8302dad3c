//! The statements that read.

use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlRow;
use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{
    Durability, RevokedToken, StoreId, Timestamp, TokenFilter, TokenId, TokenRecord,
};

use super::connect::Sessions;
use super::server::{SETTINGS, Server};
use super::statements::{HAS_EXPIRED, Statement, Statements, bind_id};
use super::{failure, filter};
use crate::dialect::{Condition, Place};
use crate::pool::Pool;
use crate::row::{self, Columns, RECORD, REVOKED};

/// Reads what is stored under these ids.
pub(super) async fn fetch(
    pool: &Pool<Sessions>,
    call: &Call,
    statements: &Statements,
    ids: &[TokenId],
) -> Outcome<Vec<TokenRecord>> {
    let (text, list) = statements.fetch.of(ids);
    let rows = rows(pool, call, list.fold(sqlx::query(text), bind_id)).await?;
    read(&rows, row::record)
}

/// Reads active records that match, in order of their ids.
pub(super) async fn list(
    pool: &Pool<Sessions>,
    call: &Call,
    filter: &TokenFilter,
    after: Option<TokenId>,
    limit: usize,
    now: Timestamp,
) -> Outcome<Vec<TokenRecord>> {
    let query = filter::select(RECORD, filter, after.as_ref(), limit, now);
    read(&rows(pool, call, query).await?, row::record)
}

/// Reads the ids of active records that match, in their order.
pub(super) async fn matching(
    pool: &Pool<Sessions>,
    call: &Call,
    filter: &TokenFilter,
    after: Option<TokenId>,
    limit: usize,
    now: Timestamp,
) -> Outcome<Vec<TokenId>> {
    let query = filter::select("id", filter, after.as_ref(), limit, now);
    read(&rows(pool, call, query).await?, first_id)
}

/// Reads for each revocation in a part of the feed whether its successor is active and matches, and
/// which one that is.
pub(super) async fn successors(
    pool: &Pool<Sessions>,
    call: &Call,
    filter: &TokenFilter,
    after: Place,
    last: Place,
    now: Timestamp,
) -> Outcome<Vec<Option<TokenId>>> {
    let query = filter::select_successors(filter, after, last, now);
    read(&rows(pool, call, query).await?, |row| {
        row.optional_bytes(0)?.map(row::id).transpose()
    })
}

/// Reads how many places the feed has given.
pub(super) async fn last_place(pool: &Pool<Sessions>, call: &Call) -> Outcome<Place> {
    let query = sqlx::query("SELECT revocations FROM store WHERE one = 1");
    let rows = rows(pool, call, query).await?;
    let counted = row::first_count(&rows);
    counted.map(Place).map_err(failure::of_row)
}

/// Reads the feed.
pub(super) async fn revoked(
    pool: &Pool<Sessions>,
    call: &Call,
    after: Place,
    limit: usize,
    now: Timestamp,
) -> Outcome<Vec<(Place, RevokedToken)>> {
    let text = format!(
        "SELECT {REVOKED} FROM tokens FORCE INDEX (tokens_feed) \
         WHERE revocation > ? AND expires_at > ? ORDER BY revocation LIMIT ?"
    );
    let query = sqlx::query(AssertSqlSafe(text))
        .bind(after.as_column())
        .bind(now.as_micros())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    read(&rows(pool, call, query).await?, row::revoked)
}

/// Tells whether an expired record is stored.
pub(super) async fn has_expired(
    pool: &Pool<Sessions>,
    call: &Call,
    now: Timestamp,
) -> Outcome<bool> {
    let query = sqlx::query(HAS_EXPIRED).bind(now.as_micros());
    let rows = rows(pool, call, query).await?;
    let answers = read(&rows, |row| row.integer(0))?;
    Ok(answers.contains(&1))
}

/// Reads the store's own row and the server's settings.
pub(super) async fn check(
    pool: &Pool<Sessions>,
    call: &Call,
    durability: Durability,
) -> Outcome<Condition> {
    let text = format!("SELECT id, {SETTINGS} FROM store WHERE one = 1");
    let rows = rows(pool, call, sqlx::query(AssertSqlSafe(text))).await?;
    let condition = |row: &MySqlRow| {
        let server = Server::read(row, 1)?;
        Ok(Condition {
            store: StoreId::from_u64(row.integer(0)?.cast_unsigned()),
            warnings: server.warnings(durability),
            version: server.version,
        })
    };
    let found = read(&rows, condition)?.pop();
    found.ok_or_else(|| failure::of_statement(sqlx::Error::RowNotFound))
}

/// The id in the first column.
pub(super) fn first_id(row: &MySqlRow) -> tokenkeep_core::Result<TokenId> {
    row::id(row.bytes(0)?)
}

/// Reads each row.
pub(super) fn read<T>(
    rows: &[MySqlRow],
    row: impl Fn(&MySqlRow) -> tokenkeep_core::Result<T>,
) -> Outcome<Vec<T>> {
    let read = rows.iter().map(row).collect::<Result<_, _>>();
    read.map_err(failure::of_row)
}

async fn rows(pool: &Pool<Sessions>, call: &Call, query: Statement) -> Outcome<Vec<MySqlRow>> {
    let mut link = pool.link(call).await?;
    let rows = query.fetch_all(link.connection()?).await;
    failure::end(link, rows)
}
