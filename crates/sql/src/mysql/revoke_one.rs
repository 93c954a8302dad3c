//! The revocation of a lone token, in one round trip.

use tokenkeep_backend::{Call, Cause, Outcome};
use tokenkeep_core::{Timestamp, TokenId};

use super::connect::Sessions;
use super::failure;
use super::message::{Message, literal};
use crate::pool::Pool;

/// How many rows the statements change where the token is active, and where not.
const REVOKED: [u64; 5] = [0, 1, 1, 1, 0];
const NOT_ACTIVE: [u64; 5] = [0; 5];

/// Revokes a token if it is active; tells whether it was.
pub(super) async fn revoke_one(
    pool: &Pool<Sessions>,
    call: &Call,
    id: &TokenId,
    now: Timestamp,
) -> Outcome<bool> {
    let mut link = pool.link(call).await?;
    let changed = match revocation(id, now).commit(link.connection()?).await {
        Ok(changed) => {
            link.done();
            changed
        }
        Err(failure) if failure.cause == Cause::Lost => return link.end(Err(failure)),
        Err(failure) => {
            let undone = sqlx::raw_sql("ROLLBACK").execute(link.connection()?);
            if undone.await.is_ok() {
                link.done();
            }
            return Err(failure);
        }
    };
    if changed == REVOKED {
        return Ok(true);
    }
    match changed == NOT_ACTIVE {
        true => Ok(false),
        // The token is revoked, and has no place in the feed.
        false => Err(failure::of_statement(sqlx::Error::RowNotFound)),
    }
}

/// A transaction. Each statement does something only where the one before it did.
fn revocation(id: &TokenId, now: Timestamp) -> Message {
    let (id, now) = (literal(id), now.as_micros());
    Message::default()
        .with("START TRANSACTION")
        .with(&format!(
            "UPDATE tokens SET revoked_at = {now} \
             WHERE id = {id} AND revoked_at IS NULL AND expires_at > {now}"
        ))
        .with(
            "UPDATE store SET revocations = LAST_INSERT_ID(revocations + 1) \
             WHERE one = 1 AND ROW_COUNT() = 1",
        )
        .with(&format!(
            "UPDATE tokens SET revocation = LAST_INSERT_ID() WHERE id = {id} AND ROW_COUNT() = 1"
        ))
}
