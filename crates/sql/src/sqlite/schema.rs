//! The schema of a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Connection, Row, SqliteConnection};
use tokenkeep_backend::{Cause, Failure, Outcome};
use tokenkeep_core::{ErrorKind, StoreId, Timestamp};

use super::connector::{Connector, PAUSE, Role};
use super::failure::{failed, opening, reading};
use super::file::{StoreFile, beside, blocking, exists};
use super::{log, statements};
use crate::schema::{Schema, Step};

const STEPS: [Step; 2] = [
    Step {
        version: 1,
        name: "tokens",
        sql: include_str!("migrations/0001_tokens.sql"),
    },
    Step {
        version: 2,
        name: "feed",
        sql: include_str!("migrations/0002_feed.sql"),
    },
];

/// The mark of a store's file, which its first step sets.
const APPLICATION_ID: i64 = 1_416_317_808;

/// Whose the file is, and whether anything is in it: one look, since another node may be making it.
const OWNER: &str = "SELECT application_id, EXISTS (SELECT 1 FROM sqlite_master) \
    FROM pragma_application_id";

/// One connection that looks after a file's schema, once one is needed.
pub(super) struct SqliteSchema {
    connector: Connector,
    connection: Option<SqliteConnection>,
}

impl SqliteSchema {
    pub(super) fn new(connector: &Connector) -> Self {
        Self {
            connector: connector.clone(),
            connection: None,
        }
    }

    /// Closes the file.
    pub(super) async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            // A transaction that is still open ends with it.
            let _ = connection.close().await;
        }
    }

    fn connection(&mut self) -> Outcome<&mut SqliteConnection> {
        let missing = || Failure::refused(ErrorKind::Internal, "the file is not open");
        self.connection.as_mut().ok_or_else(missing)
    }

    fn refused(&self, problem: &str) -> Failure {
        let path = self.connector.path();
        Failure::refused(ErrorKind::Config, format!("{path} {problem}"))
    }

    /// Whether the file has our tables: none has, one of another program's is refused.
    async fn has_tables(&mut self) -> Outcome<bool> {
        let owner = sqlx::query(OWNER).fetch_one(self.connection()?).await;
        let owner = owner.map_err(opening)?;
        let mark: i64 = owner.try_get(0).map_err(opening)?;
        let has_tables: bool = owner.try_get(1).map_err(opening)?;
        match (mark, has_tables) {
            (APPLICATION_ID, _) | (0, false) => Ok(has_tables),
            _ => Err(self.refused(
                "holds another program's tables: its application id is not a Tokenkeep store's",
            )),
        }
    }

    async fn is_there(&self) -> Outcome<bool> {
        let path = self.connector.file().to_owned();
        blocking(move || exists(&path)).await
    }

    /// The file, as the store that it is.
    pub(super) async fn file(&mut self) -> Outcome<Arc<StoreFile>> {
        let path = self.connector.file().to_owned();
        StoreFile::of(&path, self.connection()?).await
    }

    /// Whether the file is kept with a log, as a copy that SQLite made of it is not.
    pub(super) async fn has_log(&mut self) -> Outcome<bool> {
        let mode = sqlx::query("PRAGMA journal_mode");
        let row = mode.fetch_one(self.connection()?).await;
        let mode: String = row.and_then(|row| row.try_get(0)).map_err(opening)?;
        Ok(mode == log::MODE)
    }

    /// Keeps the file with a log from here on: the file itself remembers that.
    pub(super) async fn keep_log(&mut self) -> Outcome<()> {
        // SQLite does not wait for others here.
        self.run_in_the_end("PRAGMA journal_mode = WAL").await
    }

    async fn run(&mut self, statement: &'static str) -> Outcome<()> {
        let done = sqlx::raw_sql(statement).execute(self.connection()?).await;
        done.map(|_| ()).map_err(failed)
    }

    /// Opens the file if it is not open; as often as another program holds it, which the caller bounds.
    async fn open(&mut self, create: bool) -> Outcome<()> {
        while self.connection.is_none() {
            let opened = self.connector.open(Role::Writes, create).await;
            match opened.map_err(opening) {
                Ok(connection) => self.connection = Some(connection),
                Err(failure) if failure.cause == Cause::Again => tokio::time::sleep(PAUSE).await,
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// The steps that were applied to the file, which is open.
    async fn versions(&mut self) -> Outcome<Vec<u32>> {
        if !self.has_tables().await? {
            return Ok(Vec::new());
        }
        let versions = sqlx::query("SELECT version FROM migrations ORDER BY version");
        let rows = versions.fetch_all(self.connection()?).await;
        let rows = rows.map_err(reading)?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(reading))
            .collect()
    }

    /// As long as another program holds the file; the caller bounds it.
    async fn run_in_the_end(&mut self, statement: &'static str) -> Outcome<()> {
        loop {
            match self.run(statement).await {
                Err(failure) if failure.cause == Cause::Again => tokio::time::sleep(PAUSE).await,
                done => return done,
            }
        }
    }
}

#[async_trait]
impl Schema for SqliteSchema {
    fn steps(&self) -> &'static [Step] {
        &STEPS
    }

    async fn applied(&mut self) -> Outcome<Vec<u32>> {
        if self.connection.is_none() {
            if !self.is_there().await? {
                return match self.connector.may_create() {
                    true => Ok(Vec::new()),
                    false => Err(self.refused("does not exist")),
                };
            }
            self.open(false).await?;
        }
        loop {
            match self.versions().await {
                // Another node makes the schema; the caller bounds this too.
                Err(failure) if failure.cause == Cause::Again => tokio::time::sleep(PAUSE).await,
                versions => return versions,
            }
        }
    }

    async fn lock(&mut self) -> Outcome<()> {
        self.open(self.connector.may_create()).await?;
        self.keep_log().await?;
        self.run_in_the_end(statements::BEGIN).await
    }

    async fn apply(&mut self, step: &Step, now: Timestamp) -> Outcome<()> {
        self.run(step.sql).await?;
        let connection = self.connection()?;
        if step.version == 1 {
            sqlx::query("INSERT INTO store (only, id) VALUES (1, ?)")
                .bind(StoreId::generate().to_u64().cast_signed())
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
        sqlx::query("INSERT INTO migrations (version, name, applied_at) VALUES (?, ?, ?)")
            .bind(step.version)
            .bind(step.name)
            .bind(now.as_micros())
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(failed)
    }

    async fn unlock(&mut self) -> Outcome<()> {
        self.run(statements::COMMIT).await
    }

    async fn drop_namespace(&mut self) -> Outcome<()> {
        if !self.is_there().await? {
            return Ok(());
        }
        // Refuses what is no store of ours.
        self.applied().await?;
        // Nobody writes, nor makes a schema, while the files go.
        self.run_in_the_end(statements::BEGIN).await?;
        let path = self.connector.file().to_owned();
        let removed = blocking(move || remove(&path)).await?;
        removed.map_err(|_| self.refused("cannot be removed"))?;
        if let Some(connection) = self.connection.take() {
            // SQLite notices that the file is gone, and leaves alone what others make in its place.
            connection.close().await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Removes a store's files. The file itself goes last: what lies beside it then is a new store's.
fn remove(file: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        match std::fs::remove_file(beside(file, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
