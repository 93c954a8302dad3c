//! The revocation of one token, or of what has taken its place.

use sqlx::SqliteConnection;
use tokenkeep_backend::Outcome;
use tokenkeep_core::{Timestamp, TokenFilter, TokenId};

use super::binding::{conditions, optional_id, with_conditions};
use super::links::rows;
use super::statements;

/// Revokes a token within a transaction if it is active and matches, or else its successor, up to so
/// many of them; gives the one that it revoked.
pub(super) async fn revoke(
    connection: &mut SqliteConnection,
    filter: &TokenFilter,
    id: TokenId,
    links: usize,
    now: Timestamp,
) -> Outcome<Option<TokenId>> {
    let conditions = conditions(filter)?;
    let mut next = Some(id);
    for _ in 0..links {
        let Some(id) = next else { break };
        let text = statements::revoke_matching(&conditions.text());
        let revocation = with_conditions(text, &conditions)
            .bind(now.as_micros())
            .bind(id.as_bytes().to_vec())
            .bind(now.as_micros());
        if !rows(connection, revocation).await?.is_empty() {
            return Ok(Some(id));
        }
        let successor = sqlx::query(statements::SUCCESSOR).bind(id.as_bytes().to_vec());
        let found = rows(connection, successor).await?;
        next = found.first().map(optional_id).transpose()?.flatten();
    }
    Ok(None)
}
