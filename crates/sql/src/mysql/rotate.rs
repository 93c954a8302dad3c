//! Rotation: the old token is revoked and its successor stored, or neither.

use sqlx::mysql::MySqlConnection;
use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::{Rotation, Timestamp, TokenId, TokenRecord, TokenState};

use super::connect::Sessions;
use super::failure;
use super::insert::remove_expired;
use super::message::{Message, literal};
use super::read::read;
use super::revoke::take_places;
use super::statements::{OLD_TOKEN, Statements, bind_id};
use super::transaction::{End, Transaction};
use crate::dialect::Turn;
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
    let work = prepare(transaction.connection()?, statements, old, successor, now);
    let turn = match work.await {
        Ok(None) => Turn::Taken(Rotation::Rotated),
        Ok(Some(turn)) => return transaction.end(Ok(End::Undo(turn))).await,
        Err(failure) => return transaction.end(Err(failure)).await,
    };
    let changed = transaction.commit_with(revocation(old, &successor.id, now));
    match changed.await? == REVOKED {
        true => Ok(turn),
        false => Err(failure::of_statement(sqlx::Error::RowNotFound)),
    }
}

/// How many rows the statements of a [`revocation`] change.
const REVOKED: [u64; 3] = [1, 1, 0];

/// Revokes the old token, which is locked.
fn revocation(old: &TokenId, successor: &TokenId, now: Timestamp) -> Message {
    let (old, successor, now) = (literal(old), literal(successor), now.as_micros());
    Message::default().with(&take_places(1)).with(&format!(
        "UPDATE tokens SET revoked_at = {now}, successor = {successor}, \
         revocation = LAST_INSERT_ID() WHERE id = {old} AND ROW_COUNT() = 1"
    ))
}

/// Locks the old token and stores its successor; gives why not, if not.
async fn prepare(
    connection: &mut MySqlConnection,
    statements: &Statements,
    old: &TokenId,
    successor: &TokenRecord,
    now: Timestamp,
) -> Outcome<Option<Turn>> {
    match lock(connection, old, now).await? {
        None => return Ok(Some(Turn::NoSuchToken)),
        Some(TokenState::Revoked { at, successor }) => {
            let used = Rotation::AlreadyUsed { at, successor };
            return Ok(Some(Turn::Taken(used)));
        }
        Some(TokenState::Active) => {}
    }
    let is_stored = store(connection, statements, successor, now).await?;
    Ok((!is_stored).then_some(Turn::SuccessorExists))
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
