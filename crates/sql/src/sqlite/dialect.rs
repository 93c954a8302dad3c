//! How the statements are run.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tokenkeep_core::{
    ErrorKind, Replacement, Result, RevokedToken, Rotation, StoreId, Timestamp, TokenFilter,
    TokenId, TokenRecord, TokenState,
};

use super::binding::{
    Query, as_integer, conditions, first, ids, insertion, page, query, records, size_for, split,
    with_ids,
};
use super::connector::{Connections, Connector, Role};
use super::failure::{failed, reading, unreadable};
use super::{DRIVER, statements};
use crate::call::Call;
use crate::dialect::{Condition, Dialect, Place, Turn};
use crate::failure::{Failure, Outcome};
use crate::pool::{Link, Pool};
use crate::row;

/// The statements of SQLite.
#[derive(Debug)]
pub(super) struct SqliteDialect {
    writer: Pool<Connections>,
    readers: Pool<Connections>,
    /// How long SQLite itself waits for another program.
    busy: Duration,
}

impl SqliteDialect {
    pub(super) fn new(connector: &Connector, readers: u32) -> Result<Self> {
        let pool = |role, size| {
            let connector = connector.clone();
            Pool::new(Arc::new(Connections { connector, role }), size)
        };
        Ok(Self {
            writer: pool(Role::Writes, 1)?,
            readers: pool(Role::Reads, readers)?,
            busy: connector.busy(),
        })
    }

    /// The one connection that writes, if there is time left to wait for another program and to
    /// know the end of that.
    async fn writer(&self, call: &Call) -> Outcome<Link<Connections>> {
        let link = self.writer.link(call).await?;
        let left = call.deadline().saturating_duration_since(Instant::now());
        if left > self.busy * 2 {
            return Ok(link);
        }
        let problem = "another program, or earlier calls, held the file for too long";
        link.end(Err(Failure::refused(ErrorKind::Unavailable, problem)))
    }

    /// As [`writer`](Self::writer), in a transaction.
    async fn transaction(&self, call: &Call) -> Outcome<Link<Connections>> {
        let mut link = self.writer(call).await?;
        let begun = run(link.connection()?, statements::BEGIN).await;
        match begun {
            Ok(()) => Ok(link),
            Err(failure) => link.end(Err(failure)),
        }
    }

    /// The rows of one look.
    async fn read(&self, call: &Call, query: Query<'_>) -> Outcome<Vec<SqliteRow>> {
        let mut link = self.readers.link(call).await?;
        let rows = query.fetch_all(&mut **link.connection()?).await;
        link.end(rows.map_err(reading))
    }

    /// The rows that one statement with a commit of its own gives.
    async fn write(&self, call: &Call, query: Query<'_>) -> Outcome<Vec<SqliteRow>> {
        let mut link = self.writer(call).await?;
        let rows = rows(link.connection()?, query).await;
        link.end(rows)
    }

    /// How many rows one statement with a commit of its own changes.
    async fn change(&self, call: &Call, query: Query<'_>) -> Outcome<u64> {
        let mut link = self.writer(call).await?;
        let done = query.execute(&mut **link.connection()?).await;
        link.end(done.map_err(failed))
            .map(|done| done.rows_affected())
    }
}

#[async_trait]
impl Dialect for SqliteDialect {
    fn name(&self) -> &'static str {
        DRIVER
    }

    fn max_batch(&self) -> usize {
        256
    }

    async fn fetch(&self, call: &Call, ids: &[TokenId]) -> Outcome<Vec<TokenRecord>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(statements::SIZES[0]) {
            let query = with_ids(statements::fetch(size_for(ids.len())), ids);
            found.extend(records(&self.read(call, query).await?)?);
        }
        Ok(found)
    }

    async fn insert(
        &self,
        call: &Call,
        records: &[TokenRecord],
        now: Timestamp,
    ) -> Outcome<Vec<bool>> {
        let parts = split(records);
        let stored = if let [records] = parts[..] {
            ids(&self.write(call, insertion(records, now)).await?)?
        } else {
            let mut link = self.transaction(call).await?;
            let connection = link.connection()?;
            let mut stored = Vec::with_capacity(records.len());
            for records in parts {
                let rows = rows(connection, insertion(records, now)).await?;
                stored.extend(ids(&rows)?);
            }
            run(connection, statements::COMMIT).await?;
            link.done();
            stored
        };
        let stored: HashSet<_> = stored.into_iter().collect();
        let was_stored = |record: &TokenRecord| stored.contains(&record.id);
        Ok(records.iter().map(was_stored).collect())
    }

    async fn revoke(
        &self,
        call: &Call,
        ids_given: &[TokenId],
        now: Timestamp,
    ) -> Outcome<Vec<TokenId>> {
        let revocation = |part: &[TokenId]| {
            with_ids(statements::revoke(size_for(part.len())), part)
                .bind(now.as_micros())
                .bind(now.as_micros())
        };
        if ids_given.len() <= statements::SIZES[0] {
            return ids(&self.write(call, revocation(ids_given)).await?);
        }
        let mut link = self.transaction(call).await?;
        let connection = link.connection()?;
        let mut revoked = Vec::new();
        for part in ids_given.chunks(statements::SIZES[0]) {
            revoked.extend(ids(&rows(connection, revocation(part)).await?)?);
        }
        run(connection, statements::COMMIT).await?;
        link.done();
        Ok(revoked)
    }

    async fn revoke_page(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(TokenId, bool)>> {
        let conditions = conditions(filter)?;
        let text = statements::revoke_page(&conditions.text());
        let query = page(text, &conditions, after, now, limit).bind(now.as_micros());
        let mut revoked = ids(&self.write(call, query).await?)?;
        revoked.sort_unstable();
        // Nobody writes between the look and the revocation.
        Ok(revoked.into_iter().map(|id| (id, true)).collect())
    }

    async fn list(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<TokenRecord>> {
        let conditions = conditions(filter)?;
        let text = statements::list(&conditions.text());
        let query = page(text, &conditions, after, now, limit);
        records(&self.read(call, query).await?)
    }

    async fn revoked(
        &self,
        call: &Call,
        after: Place,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(Place, RevokedToken)>> {
        let query = query(statements::revoked())
            .bind(after.0.cast_signed())
            .bind(now.as_micros())
            .bind(as_integer(limit));
        let rows = self.read(call, query).await?;
        rows.iter()
            .map(|row| row::revoked(row).map_err(unreadable))
            .collect()
    }

    async fn replace(
        &self,
        call: &Call,
        change: &Replacement,
        expected_version: u64,
        now: Timestamp,
    ) -> Outcome<bool> {
        let query = sqlx::query(statements::REPLACE)
            .bind(change.expires_at.as_micros())
            .bind(&change.data[..])
            .bind(&change.id.as_bytes()[..])
            .bind(expected_version.cast_signed())
            .bind(now.as_micros());
        Ok(self.change(call, query).await? > 0)
    }

    async fn rotate(
        &self,
        call: &Call,
        old: &TokenId,
        successor: &TokenRecord,
        now: Timestamp,
    ) -> Outcome<Turn> {
        let mut link = self.transaction(call).await?;
        let connection = link.connection()?;
        let turn = rotate(connection, old, successor, now).await?;
        let end = match turn {
            Turn::Taken(Rotation::Rotated) => statements::COMMIT,
            _ => statements::ROLLBACK,
        };
        run(connection, end).await?;
        link.done();
        Ok(turn)
    }

    async fn flush(&self, call: &Call, limit: u32, now: Timestamp) -> Outcome<u64> {
        let query = sqlx::query(statements::FLUSH)
            .bind(now.as_micros())
            .bind(i64::from(limit));
        self.change(call, query).await
    }

    async fn has_expired(&self, call: &Call, now: Timestamp) -> Outcome<bool> {
        let query = sqlx::query(statements::HAS_EXPIRED).bind(now.as_micros());
        let rows = self.read(call, query).await?;
        let found: i64 = first(&rows)?.try_get(0).map_err(reading)?;
        Ok(found != 0)
    }

    async fn check(&self, call: &Call) -> Outcome<Condition> {
        let rows = self.read(call, sqlx::query(statements::CHECK)).await?;
        let row = first(&rows)?;
        let store: i64 = row.try_get(0).map_err(reading)?;
        let version: String = row.try_get(1).map_err(reading)?;
        Ok(Condition {
            store: StoreId::from_u64(store.cast_unsigned()),
            version: format!("SQLite {version}"),
            warnings: Vec::new(),
        })
    }
}

/// Does both halves of a rotation, or finds why not.
async fn rotate(
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

/// Runs a statement to its very end: one that writes commits there, and not with its last row.
async fn rows(connection: &mut SqliteConnection, query: Query<'_>) -> Outcome<Vec<SqliteRow>> {
    query.fetch_all(connection).await.map_err(failed)
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) -> Outcome<()> {
    let done = sqlx::query(statement).execute(connection).await;
    done.map(|_| ()).map_err(failed)
}
