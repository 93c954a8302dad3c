//! Revocation, and the feed's order.
//!
//! A transaction locks its tokens first, in order of their ids, and then the store's row, which gives
//! out the places. That lock is held until the commit, so places become visible in their order.

use sqlx::mysql::MySqlConnection;
use tokenkeep_core::{Timestamp, TokenId};

use super::connect::Sessions;
use super::failure;
use super::read::{first_id, read};
use super::revoke_one::revoke_one;
use super::statements::{COUNT, MAX_LIST, Statements, bind_id};
use super::transaction::{End, Transaction};
use crate::call::Call;
use crate::failure::Outcome;
use crate::pool::Pool;

/// Revokes those of these distinct ids that are active, and gives them.
pub(super) async fn revoke(
    pool: &Pool<Sessions>,
    call: &Call,
    statements: &Statements,
    ids: &[TokenId],
    now: Timestamp,
) -> Outcome<Vec<TokenId>> {
    if let [id] = ids {
        let was_active = revoke_one(pool, call, id, now).await?;
        return Ok(was_active.then_some(*id).into_iter().collect());
    }
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut transaction = Transaction::begin(pool, call).await?;
    let work = revoke_active(transaction.connection()?, statements, &ids, now);
    let outcome = work.await;
    transaction.end(outcome).await
}

async fn revoke_active(
    connection: &mut MySqlConnection,
    statements: &Statements,
    ids: &[TokenId],
    now: Timestamp,
) -> Outcome<End<Vec<TokenId>>> {
    let mut active = Vec::new();
    for ids in ids.chunks(MAX_LIST) {
        active.extend(lock(connection, statements, ids, now).await?);
    }
    if active.is_empty() {
        return Ok(End::Undo(active));
    }
    let mut place = count(connection, active.len()).await? - active.len() as u64;
    for ids in active.chunks(MAX_LIST) {
        let (text, list) = statements.revoke.of(ids);
        let query = sqlx::query(text).bind(now.as_micros()).bind(place);
        let query = list.clone().fold(query, bind_id);
        let revoked = list.fold(query, bind_id).execute(&mut *connection).await;
        revoked.map_err(failure::of_statement)?;
        place += ids.len() as u64;
    }
    Ok(End::Commit(active))
}

/// Locks those of these ids that are active, and gives them in their order.
async fn lock(
    connection: &mut MySqlConnection,
    statements: &Statements,
    ids: &[TokenId],
    now: Timestamp,
) -> Outcome<Vec<TokenId>> {
    let (text, list) = statements.lock.of(ids);
    let query = list.fold(sqlx::query(text), bind_id).bind(now.as_micros());
    let rows = query.fetch_all(connection).await;
    read(&rows.map_err(failure::of_statement)?, first_id)
}

/// Takes the next places in the feed, and gives the last of them.
pub(super) async fn count(connection: &mut MySqlConnection, places: usize) -> Outcome<u64> {
    let query = sqlx::query(COUNT).bind(places as u64);
    let counted = query.execute(connection).await;
    let counted = counted.map_err(failure::of_statement)?;
    match counted.rows_affected() {
        0 => Err(failure::of_statement(sqlx::Error::RowNotFound)),
        _ => Ok(counted.last_insert_id()),
    }
}
