//! PostgreSQL's statements at work: one of them, on one connection, for each call.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Row, query, query_with};
use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::{
    Durability, ErrorKind, Replacement, Result, RevokedToken, Rotation, Timestamp, TokenFilter,
    TokenId, TokenRecord, TokenState,
};

use super::condition;
use super::connect::Server;
use super::failure;
use super::filter::{self, Bound};
use super::namespace::Namespace;
use super::record::{one, several};
use super::statements::Statements;
use crate::dialect::{Condition, Dialect, Place, Turn};
use crate::options::ServerOptions;
use crate::pool::Pool;
use crate::row::{self, Columns};

/// More rows in a statement bring little and make each caller of a batch wait longer.
const MAX_BATCH: usize = 256;

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// A namespace on a PostgreSQL server.
pub(super) struct PostgresDialect {
    pool: Pool<Server>,
    statements: Statements,
    durability: Durability,
    /// The expiry up to which the last step of a flush came, unless it found the end. Nobody looks at what
    /// it removed again: as long as another session has an old snapshot, that stays in the index.
    flushed: AtomicI64,
}

/// The place before all expiries.
const FROM_THE_FIRST: i64 = i64::MIN;

impl fmt::Debug for PostgresDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDialect")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl PostgresDialect {
    pub(super) fn new(options: &ServerOptions, namespace: &Namespace) -> Result<Self> {
        let server = Arc::new(Server::for_calls(options)?);
        Ok(Self {
            pool: Pool::new(server, options.common.pool_size)?,
            statements: Statements::new(namespace),
            durability: options.common.durability,
            flushed: AtomicI64::new(FROM_THE_FIRST),
        })
    }

    /// Runs a statement to its end, which is that of its transaction too.
    async fn rows(&self, call: &Call, statement: Statement<'_>) -> Outcome<Vec<PgRow>> {
        let mut link = self.pool.link(call).await?;
        let rows = statement.fetch_all(link.connection()?).await;
        link.end(rows.map_err(failure::of_statement))
    }

    /// As [`rows`](Self::rows), for one that gives none; tells how many it changed.
    async fn changed(&self, call: &Call, statement: Statement<'_>) -> Outcome<u64> {
        let mut link = self.pool.link(call).await?;
        let done = statement.execute(link.connection()?).await;
        let changed = done.map(|done| done.rows_affected());
        link.end(changed.map_err(failure::of_statement))
    }

    /// Removes up to `limit` that expired at `from` or later, and remembers how far it came.
    async fn flush_from(&self, call: &Call, from: i64, limit: u32, now: Timestamp) -> Outcome<u32> {
        let statement = query(self.statements.flush.clone())
            .bind(now.as_micros())
            .bind(i64::from(limit))
            .bind(from);
        let rows = self.rows(call, statement).await?;
        let expiries: Vec<i64> = rows
            .iter()
            .map(|row| column(row, 0))
            .collect::<Outcome<_>>()?;
        let removed = u32::try_from(expiries.len()).unwrap_or(u32::MAX);
        let last = expiries.into_iter().max().filter(|_| removed >= limit);
        self.flushed
            .store(last.unwrap_or(FROM_THE_FIRST), Ordering::Relaxed);
        Ok(removed)
    }
}

#[async_trait]
impl Dialect for PostgresDialect {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn max_batch(&self) -> usize {
        MAX_BATCH
    }

    async fn fetch(&self, call: &Call, ids: &[TokenId]) -> Outcome<Vec<TokenRecord>> {
        let statement = match ids {
            [id] => query(self.statements.fetch_one.clone()).bind(id.as_bytes().as_slice()),
            ids => query(self.statements.fetch_many.clone()).bind(bytes(ids)),
        };
        let rows = self.rows(call, statement).await?;
        rows.iter().map(|row| read(row::record(row))).collect()
    }

    async fn insert(
        &self,
        call: &Call,
        records: &[TokenRecord],
        now: Timestamp,
    ) -> Outcome<Vec<bool>> {
        let statement = match records {
            [record] => one(query(self.statements.insert_one.clone()), record),
            records => several(query(self.statements.insert_many.clone()), records),
        };
        let rows = self.rows(call, statement.bind(now.as_micros())).await?;
        let stored: HashSet<TokenId> = rows.iter().map(first_id).collect::<Outcome<_>>()?;
        let was_stored = |record: &TokenRecord| stored.contains(&record.id);
        Ok(records.iter().map(was_stored).collect())
    }

    async fn revoke(&self, call: &Call, ids: &[TokenId], now: Timestamp) -> Outcome<Vec<TokenId>> {
        let statement = match ids {
            [id] => query(self.statements.revoke_one.clone()).bind(id.as_bytes().as_slice()),
            ids => query(self.statements.revoke_many.clone()).bind(bytes(ids)),
        };
        let rows = self.rows(call, statement.bind(now.as_micros())).await?;
        rows.iter().map(first_id).collect()
    }

    async fn revoke_page(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(TokenId, bool)>> {
        let bound = filter::revoke_page(&self.statements, filter, after, limit, now)?;
        let rows = self.rows(call, with_values(bound)).await?;
        let look = |row: &PgRow| Ok((first_id(row)?, column(row, 1)?));
        rows.iter().map(look).collect()
    }

    async fn last_place(&self, call: &Call) -> Outcome<Place> {
        let statement = query(self.statements.last_place.clone());
        let rows = self.rows(call, statement).await?;
        read(row::first_count(&rows)).map(Place)
    }

    async fn successors(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Place,
        last: Place,
        now: Timestamp,
    ) -> Outcome<Vec<Option<TokenId>>> {
        let bound = filter::successors(&self.statements, filter, after, last, now)?;
        let rows = self.rows(call, with_values(bound)).await?;
        rows.iter().map(optional_id).collect()
    }

    async fn revoke_line(
        &self,
        call: &Call,
        filter: &TokenFilter,
        id: TokenId,
        links: usize,
        now: Timestamp,
    ) -> Outcome<Option<TokenId>> {
        let mut next = Some(id);
        for _ in 0..links {
            let Some(id) = next else { break };
            let bound = filter::revoke_matching(&self.statements, filter, &id, now)?;
            let rows = self.rows(call, with_values(bound)).await?;
            let Some(row) = rows.first() else { break };
            if read(row.integer(1))? > 0 {
                return Ok(Some(id));
            }
            next = optional_id(row)?;
        }
        Ok(None)
    }

    async fn list(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<TokenRecord>> {
        let bound = filter::list(&self.statements, filter, after, limit, now)?;
        let rows = self.rows(call, with_values(bound)).await?;
        rows.iter().map(|row| read(row::record(row))).collect()
    }

    async fn revoked(
        &self,
        call: &Call,
        after: Place,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(Place, RevokedToken)>> {
        let statement = query(self.statements.revoked.clone())
            .bind(after.as_column())
            .bind(now.as_micros())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.rows(call, statement).await?;
        rows.iter().map(|row| read(row::revoked(row))).collect()
    }

    async fn replace(
        &self,
        call: &Call,
        change: &Replacement,
        expected_version: u64,
        now: Timestamp,
    ) -> Outcome<bool> {
        let Ok(expected) = i64::try_from(expected_version) else {
            return Ok(false);
        };
        let statement = query(self.statements.replace.clone())
            .bind(change.id.as_bytes().as_slice())
            .bind(expected)
            .bind(change.expires_at.as_micros())
            .bind(&change.data[..])
            .bind(now.as_micros());
        Ok(self.changed(call, statement).await? > 0)
    }

    async fn rotate(
        &self,
        call: &Call,
        old: &TokenId,
        successor: &TokenRecord,
        now: Timestamp,
    ) -> Outcome<Turn> {
        let statement = one(query(self.statements.rotate.clone()), successor)
            .bind(now.as_micros())
            .bind(old.as_bytes().as_slice());
        let rows = self.rows(call, statement).await?;
        rows.first()
            .map_or(Ok(Turn::NoSuchToken), |row| turn(row, now))
    }

    async fn flush(&self, call: &Call, limit: u32, now: Timestamp) -> Outcome<u64> {
        let from = self.flushed.load(Ordering::Relaxed);
        let removed = self.flush_from(call, from, limit, now).await?;
        let left = limit.saturating_sub(removed);
        if left == 0 || from == FROM_THE_FIRST {
            return Ok(removed.into());
        }
        // Some may stand before that place: passed over, or stored when they had expired already.
        match self.flush_from(call, FROM_THE_FIRST, left, now).await {
            // What went is told; the next call will meet the failure.
            Err(_) if removed > 0 => Ok(removed.into()),
            more => Ok(u64::from(removed) + u64::from(more?)),
        }
    }

    async fn has_expired(&self, call: &Call, now: Timestamp) -> Outcome<bool> {
        let statement = query(self.statements.has_expired.clone()).bind(now.as_micros());
        Ok(!self.rows(call, statement).await?.is_empty())
    }

    async fn check(&self, call: &Call) -> Outcome<Condition> {
        let statement = query(self.statements.check.clone())
            .bind(self.statements.tokens.as_str())
            .bind(self.statements.store.as_str());
        let rows = self.rows(call, statement).await?;
        let [row] = rows.as_slice() else {
            let problem = "store: has not exactly one row";
            return Err(Failure::refused(ErrorKind::Corrupt, problem));
        };
        condition::read(row, self.durability)
    }
}

fn with_values(bound: Bound) -> Statement<'static> {
    query_with(bound.text, bound.values)
}

/// What a rotation found, and whether it was this one that used the token.
fn turn(row: &PgRow, now: Timestamp) -> Outcome<Turn> {
    let expires_at = read(row.integer(0).and_then(|at| row::instant("expires_at", at)))?;
    if expires_at <= now {
        return Ok(Turn::NoSuchToken);
    }
    let before = || row::state(row.optional_integer(1)?, row.optional_bytes(2)?);
    if let TokenState::Revoked { at, successor } = read(before())? {
        return Ok(Turn::Taken(Rotation::AlreadyUsed { at, successor }));
    }
    Ok(match read(row.integer(3))? {
        0 => Turn::SuccessorExists,
        _ => Turn::Taken(Rotation::Rotated),
    })
}

fn bytes(ids: &[TokenId]) -> Vec<&[u8]> {
    ids.iter().map(|id| id.as_bytes().as_slice()).collect()
}

fn first_id(row: &PgRow) -> Outcome<TokenId> {
    read(row.bytes(0).and_then(row::id))
}

fn optional_id(row: &PgRow) -> Outcome<Option<TokenId>> {
    let id = read(row.optional_bytes(0))?;
    read(id.map(row::id).transpose())
}

pub(super) fn column<'r, T>(row: &'r PgRow, index: usize) -> Outcome<T>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    row.try_get(index).map_err(failure::of_statement)
}

/// What was read makes no sense; the words of the error hold no value.
fn read<T>(value: Result<T>) -> Outcome<T> {
    value.map_err(|error| Failure::refused(error.kind(), error.message().to_owned()))
}
