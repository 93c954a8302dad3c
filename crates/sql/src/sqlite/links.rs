//! The connections of a store in use: one that writes, and some that read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::{ErrorKind, Result};

use super::binding::Query;
use super::connector::{Connections, Connector, Role};
use super::failure::{failed, reading};
use super::file::StoreFile;
use super::statements;
use crate::pool::{Link, Pool};

/// The connections of a store.
#[derive(Debug)]
pub(super) struct Links {
    writer: Pool<Connections>,
    readers: Pool<Connections>,
    file: Arc<StoreFile>,
    /// How long SQLite itself waits for another program.
    busy: Duration,
    /// How much of a call's time has to be left for a write to begin.
    margin: Duration,
}

impl Links {
    pub(super) fn new(connector: &Connector, file: Arc<StoreFile>, readers: u32) -> Result<Self> {
        let pool = |role, size| {
            let (connector, file) = (connector.clone(), Arc::clone(&file));
            let connections = Connections {
                connector,
                file,
                role,
            };
            Pool::new(Arc::new(connections), size)
        };
        Ok(Self {
            writer: pool(Role::Writes, 1)?,
            readers: pool(Role::Reads, readers)?,
            busy: connector.busy(),
            margin: connector.margin(),
            file,
        })
    }

    /// The store's file.
    pub(super) const fn file(&self) -> &Arc<StoreFile> {
        &self.file
    }

    /// The one connection that writes, if there is time left to wait for another program and to
    /// know the end of that.
    async fn writer(&self, call: &Call) -> Outcome<Link<Connections>> {
        self.file.glance().await?;
        let link = self.writer.link(call).await?;
        let left = call.deadline().saturating_duration_since(Instant::now());
        if left > self.margin {
            return Ok(link);
        }
        let problem = "another program, or earlier calls, held the file for too long";
        link.end(Err(Failure::refused(ErrorKind::Unavailable, problem)))
    }

    /// As [`writer`](Self::writer), in a transaction.
    pub(super) async fn transaction(&self, call: &Call) -> Outcome<Link<Connections>> {
        let mut link = self.writer(call).await?;
        let begun = run(link.connection()?, statements::BEGIN).await;
        match begun {
            Ok(()) => Ok(link),
            Err(failure) => link.end(Err(failure)),
        }
    }

    /// Ends a transaction: `COMMIT` or `ROLLBACK`.
    pub(super) async fn end(&self, mut link: Link<Connections>, end: &'static str) -> Outcome<()> {
        run(link.connection()?, end).await?;
        self.give_back(link);
        Ok(())
    }

    /// The rows of one look.
    pub(super) async fn read(&self, call: &Call, query: Query<'_>) -> Outcome<Vec<SqliteRow>> {
        self.file.glance().await?;
        let mut link = self.readers.link(call).await?;
        let rows = query.fetch_all(&mut **link.connection()?).await;
        link.end(rows.map_err(reading))
    }

    /// The rows that one statement with a commit of its own gives.
    pub(super) async fn write(&self, call: &Call, query: Query<'_>) -> Outcome<Vec<SqliteRow>> {
        let mut link = self.writer(call).await?;
        match rows(link.connection()?, query).await {
            Ok(rows) => {
                self.give_back(link);
                Ok(rows)
            }
            failed => link.end(failed),
        }
    }

    /// How many rows one statement with a commit of its own changes.
    pub(super) async fn change(&self, call: &Call, query: Query<'_>) -> Outcome<u64> {
        let mut link = self.writer(call).await?;
        let done = query.execute(&mut **link.connection()?).await;
        match done {
            Ok(done) => {
                self.give_back(link);
                Ok(done.rows_affected())
            }
            Err(error) => link.end(Err(failed(error))),
        }
    }

    /// Gives the writer back, after the log has begun anew if it is long. The call does not wait for
    /// that.
    fn give_back(&self, mut link: Link<Connections>) {
        let is_long = |link: &mut Link<Connections>| {
            let session = link.connection();
            session.is_ok_and(|session| session.takes_log_for_long())
        };
        if !is_long(&mut link) {
            return link.done();
        }
        let busy = self.busy;
        tokio::spawn(async move {
            let restarted = match link.connection() {
                Ok(session) => session.restart_log(busy).await,
                Err(failure) => Err(failure),
            };
            match restarted {
                Ok(()) => link.done(),
                Err(failure) => {
                    tracing::warn!(error = &*failure.message, "the log cannot begin anew");
                }
            }
        });
    }
}

/// Runs a statement to its very end: one that writes commits there, and not with its last row.
pub(super) async fn rows(
    connection: &mut SqliteConnection,
    query: Query<'_>,
) -> Outcome<Vec<SqliteRow>> {
    query.fetch_all(connection).await.map_err(failed)
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) -> Outcome<()> {
    let done = sqlx::query(statement).execute(connection).await;
    done.map(|_| ()).map_err(failed)
}
