//! The schema of a file.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection, Row, SqliteConnection};
use tokenkeep_core::{ErrorKind, StoreId, Timestamp};

use super::connector::{Connector, Role};
use super::failure::{failed, opening, reading};
use super::statements;
use crate::failure::{Cause, Failure, Outcome};
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

/// How long to wait where SQLite itself does not, before the next attempt.
const PAUSE: Duration = Duration::from_millis(5);

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
        // One look, since another node may be making them.
        let names = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'");
        let rows = names.fetch_all(self.connection()?).await.map_err(opening)?;
        let ours = rows
            .iter()
            .any(|row| row.try_get(0).is_ok_and(|name: &str| name == "migrations"));
        if !ours && !rows.is_empty() {
            return Err(self.refused("holds another program's tables"));
        }
        Ok(ours)
    }

    async fn run(&mut self, statement: &'static str) -> Outcome<()> {
        let done = sqlx::raw_sql(statement).execute(self.connection()?).await;
        done.map(|_| ()).map_err(failed)
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
            if !self.connector.file().exists() {
                return match self.connector.may_create() {
                    true => Ok(Vec::new()),
                    false => Err(self.refused("does not exist")),
                };
            }
            let connection = self.connector.open(Role::Writes, false).await;
            self.connection = Some(connection.map_err(opening)?);
        }
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

    async fn lock(&mut self) -> Outcome<()> {
        if self.connection.is_none() {
            let create = self.connector.may_create();
            let connection = self.connector.open(Role::Writes, create).await;
            self.connection = Some(connection.map_err(opening)?);
        }
        // The file keeps the mode. SQLite does not wait for others here.
        self.run_in_the_end("PRAGMA journal_mode = WAL").await?;
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
        if !self.connector.file().exists() {
            return Ok(());
        }
        // Refuses what is no store of ours.
        self.applied().await?;
        if let Some(connection) = self.connection.take() {
            connection.close().await.map_err(failed)?;
        }
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = self.connector.file().as_os_str().to_owned();
            path.push(suffix);
            match std::fs::remove_file(PathBuf::from(path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.refused("cannot be removed"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
