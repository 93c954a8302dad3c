//! The revocation of a lone token, in two round trips.

use futures::TryStreamExt;
use sqlx::Executor;
use sqlx::mysql::MySqlConnection;
use tokenkeep_core::{Timestamp, TokenId};

use super::connect::Sessions;
use super::failure;
use super::statements::bind_id;
use crate::call::Call;
use crate::failure::{Cause, Outcome};
use crate::pool::Pool;

/// Hands the values over. A message of several statements takes none.
const VALUES: &str = "SET @token = ?, @now = ?";

/// A transaction in one message, so that no round trip passes while the store's row is locked. Each
/// statement does something only where the one before it did. After one that fails the server does
/// not look at the rest.
const REVOCATION: &str = "\
     START TRANSACTION; \
     UPDATE tokens SET revoked_at = @now \
     WHERE id = @token AND revoked_at IS NULL AND expires_at > @now; \
     UPDATE store SET revocations = LAST_INSERT_ID(revocations + 1) \
     WHERE one = 1 AND ROW_COUNT() = 1; \
     UPDATE tokens SET revocation = LAST_INSERT_ID() WHERE id = @token AND ROW_COUNT() = 1; \
     COMMIT";

/// How many rows the statements of [`REVOCATION`] change where the token is active, and where not.
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
    call.not_sent();
    let values = bind_id(sqlx::query(VALUES), id).bind(now.as_micros());
    let handed_over = values.execute(link.connection()?).await;
    handed_over.map_err(failure::of_connecting)?;
    call.sent();
    let outcome = transaction(link.connection()?).await;
    let is_clean = match &outcome {
        Ok(_) => true,
        Err(failure) if failure.cause == Cause::Lost => false,
        Err(_) => {
            let undone = sqlx::raw_sql("ROLLBACK").execute(link.connection()?);
            undone.await.is_ok()
        }
    };
    if is_clean {
        link.done();
    }
    outcome
}

async fn transaction(connection: &mut MySqlConnection) -> Outcome<bool> {
    let mut changed = Vec::with_capacity(REVOKED.len());
    let mut answers = connection.fetch_many(sqlx::raw_sql(REVOCATION));
    loop {
        let answer = answers.try_next().await.map_err(|error| {
            // The last one is the commit.
            match changed.len() + 1 < REVOKED.len() {
                true => failure::of_statement(error),
                false => failure::of_commit(error),
            }
        })?;
        match answer {
            Some(answer) => changed.extend(answer.left().map(|done| done.rows_affected())),
            None => break,
        }
    }
    if changed == REVOKED {
        return Ok(true);
    }
    match changed == NOT_ACTIVE {
        true => Ok(false),
        // The token is revoked, and has no place in the feed.
        false => Err(failure::of_statement(sqlx::Error::RowNotFound)),
    }
}
