//! Removing expired records.

use sqlx::mysql::MySqlConnection;
use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{Timestamp, TokenId};

use super::connect::Sessions;
use super::failure;
use super::insert::remove_expired;
use super::read::{first_id, read};
use super::statements::{EXPIRED, MAX_LIST, Statements};
use super::transaction::{End, Transaction};
use crate::pool::Pool;

/// Removes up to `limit` expired records in one transaction; gives how many.
///
/// They are locked by way of the index of expiries and then removed by id, so that no unexpired record
/// is ever locked for longer than a look.
pub(super) async fn flush(
    pool: &Pool<Sessions>,
    call: &Call,
    statements: &Statements,
    limit: u32,
    now: Timestamp,
) -> Outcome<u64> {
    let mut transaction = Transaction::begin(pool, call).await?;
    let work = remove(transaction.connection()?, statements, limit, now);
    let outcome = work.await;
    transaction.end(outcome).await
}

async fn remove(
    connection: &mut MySqlConnection,
    statements: &Statements,
    limit: u32,
    now: Timestamp,
) -> Outcome<End<u64>> {
    let mut ids = lock(connection, limit, now).await?;
    if ids.is_empty() {
        return Ok(End::Undo(0));
    }
    ids.sort_unstable();
    let mut removed = 0;
    for ids in ids.chunks(MAX_LIST) {
        removed += remove_expired(connection, statements, ids, now).await?;
    }
    Ok(End::Commit(removed))
}

async fn lock(
    connection: &mut MySqlConnection,
    limit: u32,
    now: Timestamp,
) -> Outcome<Vec<TokenId>> {
    let query = sqlx::query(EXPIRED).bind(now.as_micros()).bind(limit);
    let rows = query.fetch_all(connection).await;
    read(&rows.map_err(failure::of_statement)?, first_id)
}
