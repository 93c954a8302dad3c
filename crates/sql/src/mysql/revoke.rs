//! Revocation, and the feed's order.
//!
//! A transaction locks its tokens first, in order of their ids, and then the store's row, which gives
//! out the places. That lock is held until the commit, so places become visible in their order; and all
//! that is done under it is one message.

use sqlx::mysql::MySqlConnection;
use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{Timestamp, TokenFilter, TokenId};

use super::connect::Sessions;
use super::message::{Message, literals};
use super::read::{self, first_id};
use super::revoke_one::revoke_one;
use super::statements::{MAX_LIST, Statement, Statements, bind_id};
use super::transaction::{End, Transaction};
use super::{failure, filter};
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
    let lock = |ids: &[TokenId]| {
        let (text, list) = statements.lock.of(ids);
        list.fold(sqlx::query(text), bind_id).bind(now.as_micros())
    };
    revoke_locked(pool, call, &ids, lock, now).await
}

/// Looks without locks at the next records that match, and revokes those that still do; gives those
/// looked at, and which were revoked.
///
/// So a long bulk call locks no more than it revokes, and by id.
pub(super) async fn revoke_page(
    pool: &Pool<Sessions>,
    call: &Call,
    filter: &TokenFilter,
    after: Option<TokenId>,
    limit: usize,
    now: Timestamp,
) -> Outcome<Vec<(TokenId, bool)>> {
    let ids = read::matching(pool, call, filter, after, limit, now).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // Meanwhile an id may have become another token's, which the filter does not mean.
    let lock = |ids: &[TokenId]| filter::lock(filter, ids, now);
    let revoked = revoke_locked(pool, call, &ids, lock, now).await?;
    // Both are in order of the ids.
    let was_revoked = |id: &TokenId| revoked.binary_search(id).is_ok();
    Ok(ids.into_iter().map(|id| (id, was_revoked(&id))).collect())
}

/// Revokes what `lock` finds active of these ids, which are in order, and gives it in that order.
async fn revoke_locked(
    pool: &Pool<Sessions>,
    call: &Call,
    ids: &[TokenId],
    lock: impl Fn(&[TokenId]) -> Statement,
    now: Timestamp,
) -> Outcome<Vec<TokenId>> {
    let mut transaction = Transaction::begin(pool, call).await?;
    let mut active = Vec::new();
    for ids in ids.chunks(MAX_LIST) {
        match lock_some(transaction.connection()?, lock(ids)).await {
            Ok(locked) => active.extend(locked),
            Err(failure) => return transaction.end(Err(failure)).await,
        }
    }
    if active.is_empty() {
        return transaction.end(Ok(End::Undo(active))).await;
    }
    let (message, changes) = revocation(&active, now);
    let changed = transaction.commit_with(message).await?;
    match changed == changes {
        true => Ok(active),
        false => Err(failure::of_statement(sqlx::Error::RowNotFound)),
    }
}

async fn lock_some(connection: &mut MySqlConnection, lock: Statement) -> Outcome<Vec<TokenId>> {
    let rows = lock.fetch_all(connection).await;
    read::read(&rows.map_err(failure::of_statement)?, first_id)
}

/// Revokes tokens that are locked, and how many rows each statement of that is to change. Each does
/// something only where the one before it did.
pub(super) fn revocation(ids: &[TokenId], now: Timestamp) -> (Message, Vec<u64>) {
    let mut message = Message::default().with(&take_places(ids.len()));
    let mut changes = vec![1];
    let (now, mut left, mut before) = (now.as_micros(), ids.len(), 1);
    for ids in ids.chunks(MAX_LIST) {
        let list = literals(ids);
        message = message.with(&format!(
            "UPDATE tokens FORCE INDEX (PRIMARY) SET revoked_at = {now}, \
             revocation = LAST_INSERT_ID() - {left} + FIELD(id, {list}) \
             WHERE id IN ({list}) AND revoked_at IS NULL AND ROW_COUNT() = {before}"
        ));
        left -= ids.len();
        before = ids.len();
        changes.push(ids.len() as u64);
    }
    changes.push(0);
    (message, changes)
}

/// Places in the feed are given out by the store's row. The new count is the session's insert id.
pub(super) fn take_places(count: usize) -> String {
    format!("UPDATE store SET revocations = LAST_INSERT_ID(revocations + {count}) WHERE one = 1")
}
