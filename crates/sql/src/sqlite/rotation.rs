//! The two halves of a rotation.

use sqlx::{Row, SqliteConnection};
use tokenkeep_backend::Outcome;
use tokenkeep_core::{Rotation, Timestamp, TokenId, TokenRecord, TokenState};

use super::binding::insertion;
use super::failure::{failed, unreadable};
use super::links::rows;
use super::statements;
use crate::dialect::Turn;
use crate::row;

/// Does both halves within a transaction, or finds why not.
pub(super) async fn rotate(
    connection: &mut SqliteConnection,
    old: &TokenId,
    successor: &TokenRecord,
    now: Timestamp,
) -> Outcome<Turn> {
    let state = sqlx::query(statements::STATE)
        .bind(&old.as_bytes()[..])
        .bind(now.as_micros());
    let found = rows(connection, state).await?;
    let Some(found) = found.first() else {
        return Ok(Turn::NoSuchToken);
    };
    let revoked_at = found.try_get(0).map_err(failed)?;
    let used_by = found.try_get(1).map_err(failed)?;
    if let TokenState::Revoked { at, successor } =
        row::state(revoked_at, used_by).map_err(unreadable)?
    {
        return Ok(Turn::Taken(Rotation::AlreadyUsed { at, successor }));
    }
    let one = std::slice::from_ref(successor);
    if rows(connection, insertion(one, now)).await?.is_empty() {
        return Ok(Turn::SuccessorExists);
    }
    let revocation = sqlx::query(statements::SUCCEED)
        .bind(now.as_micros())
        .bind(&successor.id.as_bytes()[..])
        .bind(&old.as_bytes()[..]);
    rows(connection, revocation).await?;
    Ok(Turn::Taken(Rotation::Rotated))
}
