//! The revocation of one token, or of what has taken its place.

use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{Timestamp, TokenFilter, TokenId};

use super::connect::Sessions;
use super::revoke::revocation;
use super::transaction::{End, Transaction};
use super::{failure, filter, read};
use crate::pool::Pool;
use crate::row::{self, Columns};

/// Revokes a token if it is active and matches, or else its successor, up to so many of them; gives the
/// one that it revoked.
///
/// A transaction that waited for a token while that was rotated asks for the successor with its next
/// message, mostly before the one who rotates can. It holds locks on revoked tokens then, which nobody
/// waits for.
pub(super) async fn revoke_line(
    pool: &Pool<Sessions>,
    call: &Call,
    filter: &TokenFilter,
    id: TokenId,
    links: usize,
    now: Timestamp,
) -> Outcome<Option<TokenId>> {
    let mut transaction = Transaction::begin(pool, call).await?;
    let found = lock_line(&mut transaction, filter, id, links, now).await;
    let active = match found {
        Ok(Some(active)) => active,
        Ok(None) => return transaction.end(Ok(End::Undo(None))).await,
        Err(failure) => return transaction.end(Err(failure)).await,
    };
    let (message, changes) = revocation(&[active], now);
    match transaction.commit_with(message).await? == changes {
        true => Ok(Some(active)),
        false => Err(failure::of_statement(sqlx::Error::RowNotFound)),
    }
}

/// Locks each of a line up to the first that is active and matches.
async fn lock_line(
    transaction: &mut Transaction<'_>,
    filter: &TokenFilter,
    id: TokenId,
    links: usize,
    now: Timestamp,
) -> Outcome<Option<TokenId>> {
    let mut next = Some(id);
    for _ in 0..links {
        let Some(id) = next else { break };
        let lock = filter::lock_one(filter, &id, now);
        let rows = lock.fetch_all(transaction.connection()?).await;
        let rows = rows.map_err(failure::of_statement)?;
        let tokens = read::read(&rows, |row| {
            let successor = row.optional_bytes(0)?.map(row::id).transpose()?;
            Ok((successor, row.optional_integer(1)? == Some(1)))
        })?;
        match tokens.first() {
            Some((_, true)) => return Ok(Some(id)),
            Some((successor, false)) => next = *successor,
            None => break,
        }
    }
    Ok(None)
}
