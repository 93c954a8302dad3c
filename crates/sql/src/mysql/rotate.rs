//! Rotation: the old token is revoked and its successor stored, or neither.

use sqlx::mysql::MySqlConnection;
use tokenkeep_core::{Rotation, Timestamp, TokenId, TokenRecord, TokenState};

use super::connect::Sessions;
use super::failure;
use super::insert::remove_expired;
use super::read::read;
use super::revoke::count;
use super::statements::{OLD_TOKEN, ROTATE, Statements, bind_id};
use super::transaction::{End, Transaction};
use crate::call::Call;
use crate::dialect::Turn;
use crate::failure::{Failure, Outcome};
use crate::pool::Pool;
use crate::row::{self, Columns};

/// Revokes the old token and stores its successor, or does neither.
pub(super) async fn rotate(
    pool: &Pool<Sessions>,
    call: &Call,
    statements: &Statements,
    old: &TokenId,
    successor: &TokenRecord,
    now: Timestamp,
) -> Outcome<Turn> {
    let mut transaction = Transaction::begin(pool, call).await?;
    let work = take_turn(transaction.connection()?, statements, old, successor, now);
    let outcome = work.await;
    transaction.end(outcome).await
}

async fn take_turn(
    connection: &mut MySqlConnection,
    statements: &Statements,
    old: &TokenId,
    successor: &TokenRecord,
    now: Timestamp,
) -> Outcome<End<Turn>> {
    match lock(connection, old, now).await? {
        None => return Ok(End::Undo(Turn::NoSuchToken)),
        Some(TokenState::Revoked { at, successor }) => {
            let used = Rotation::AlreadyUsed { at, successor };
            return Ok(End::Undo(Turn::Taken(used)));
        }
        Some(TokenState::Active) => {}
    }
    if !store(connection, statements, successor, now).await? {
        return Ok(End::Undo(Turn::SuccessorExists));
    }
    let place = count(connection, 1).await?;
    let query = sqlx::query(ROTATE)
        .bind(now.as_micros())
        .bind(successor.id.as_bytes().as_slice())
        .bind(place);
    let revoked = bind_id(query, old).execute(connection).await;
    revoked.map_err(failure::of_statement)?;
    Ok(End::Commit(Turn::Taken(Rotation::Rotated)))
}

/// Locks an unexpired token and tells its state.
async fn lock(
    connection: &mut MySqlConnection,
    old: &TokenId,
    now: Timestamp,
) -> Outcome<Option<TokenState>> {
    let query = bind_id(sqlx::query(OLD_TOKEN), old).bind(now.as_micros());
    let rows = query.fetch_all(connection).await;
    let rows = rows.map_err(failure::of_statement)?;
    let states = read(&rows, |row| {
        row::state(row.optional_integer(0)?, row.optional_bytes(1)?)
    })?;
    Ok(states.into_iter().next())
}

/// Stores the successor, unless its id is taken.
async fn store(
    connection: &mut MySqlConnection,
    statements: &Statements,
    successor: &TokenRecord,
    now: Timestamp,
) -> Outcome<bool> {
    for is_last in [false, true] {
        let inserted = statements
            .insert(&[successor])
            .execute(&mut *connection)
            .await;
        match inserted {
            Ok(_) => return Ok(true),
            // A statement that fails is taken back alone; the transaction goes on.
            Err(error) if failure::is_duplicate(&error) && !is_last => {
                let ids = [successor.id];
                if remove_expired(connection, statements, &ids, now).await? == 0 {
                    return Ok(false);
                }
            }
            Err(error) if failure::is_duplicate(&error) => break,
            Err(error) => return Err(failure::of_statement(error)),
        }
    }
    Err(Failure::again("other calls stored the same id each time"))
}
