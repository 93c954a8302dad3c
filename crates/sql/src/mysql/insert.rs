//! Storing new records.

use sqlx::mysql::MySqlConnection;
use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::{Timestamp, TokenId, TokenRecord};

use super::connect::Sessions;
use super::failure;
use super::read::{first_id, read};
use super::statements::{Statements, bind_id};
use super::transaction::{End, Transaction};
use crate::pool::Pool;

/// Stores records with distinct ids, each unless an unexpired one has its id.
///
/// Almost always all ids are new, which takes one statement; if not, that one does nothing.
pub(super) async fn insert(
    pool: &Pool<Sessions>,
    call: &Call,
    statements: &Statements,
    records: &[TokenRecord],
    now: Timestamp,
) -> Outcome<Vec<bool>> {
    let all: Vec<_> = records.iter().collect();
    let mut link = pool.link(call).await?;
    let inserted = statements.insert(&all).execute(link.connection()?).await;
    match inserted {
        Err(error) if failure::is_duplicate(&error) => {
            link.done();
            let mut transaction = Transaction::begin(pool, call).await?;
            let work = among_others(transaction.connection()?, statements, records, now);
            let outcome = work.await;
            transaction.end(outcome).await
        }
        outcome => {
            failure::end(link, outcome)?;
            Ok(vec![true; records.len()])
        }
    }
}

/// Stores those whose ids are free, after expired records gave theirs up.
async fn among_others(
    connection: &mut MySqlConnection,
    statements: &Statements,
    records: &[TokenRecord],
    now: Timestamp,
) -> Outcome<End<Vec<bool>>> {
    let mut ids: Vec<_> = records.iter().map(|record| record.id).collect();
    ids.sort_unstable();
    remove_expired(connection, statements, &ids, now).await?;
    let taken = taken(connection, statements, &ids, now).await?;
    let is_free = |record: &&TokenRecord| !taken.contains(&record.id);
    let free: Vec<_> = records.iter().filter(is_free).collect();
    if !free.is_empty() {
        let inserted = statements.insert(&free).execute(connection).await;
        inserted.map_err(|error| match failure::is_duplicate(&error) {
            true => Failure::again("other calls stored the same ids each time"),
            false => failure::of_statement(error),
        })?;
    }
    let stored = records.iter().map(|record| is_free(&record)).collect();
    // Also where nothing was stored: an expired record may be gone.
    Ok(End::Commit(stored))
}

/// Removes those of these records that have expired; gives how many.
///
/// Lists are no longer than [`MAX_LIST`](super::statements::MAX_LIST).
pub(super) async fn remove_expired(
    connection: &mut MySqlConnection,
    statements: &Statements,
    ids: &[TokenId],
    now: Timestamp,
) -> Outcome<u64> {
    let (text, list) = statements.remove_expired.of(ids);
    let query = list.fold(sqlx::query(text), bind_id).bind(now.as_micros());
    let removed = query.execute(connection).await;
    Ok(removed.map_err(failure::of_statement)?.rows_affected())
}

async fn taken(
    connection: &mut MySqlConnection,
    statements: &Statements,
    ids: &[TokenId],
    now: Timestamp,
) -> Outcome<Vec<TokenId>> {
    let (text, list) = statements.taken.of(ids);
    let query = list.fold(sqlx::query(text), bind_id).bind(now.as_micros());
    let rows = query.fetch_all(connection).await;
    read(&rows.map_err(failure::of_statement)?, first_id)
}
