//! The steps of the schema, and what applies them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{ErrorKind, StoreId, Timestamp};
use tokio::time::timeout;

use super::connect::Sessions;
use super::contents::Contents;
use super::failure;
use super::namespace::Namespace;
use super::read::read;
use crate::pool::Connector;
use crate::row::{Columns, count};
use crate::schema::{Schema, Step, Watch};

const STEPS: &[Step] = &[
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

/// A name of at most 64 letters for the lock, which the whole server shares.
const LOCK_NAME: &str = "CONCAT('tokenkeep ', LEFT(SHA2(?, 256), 40))";

const NOTES: &str = "CREATE TABLE IF NOT EXISTS migrations (\
     version BIGINT NOT NULL PRIMARY KEY, name VARBINARY(255) NOT NULL, \
     applied_at BIGINT NOT NULL) ENGINE = InnoDB ROW_FORMAT = DYNAMIC";

/// The schema of one namespace, by way of a connection that begins in no database.
pub(super) struct MySqlSchema {
    pub(super) sessions: Arc<Sessions>,
    pub(super) connection: MySqlConnection,
    pub(super) namespace: Namespace,
    /// How long to wait for other nodes.
    pub(super) timeout: Duration,
}

/// How long a farewell to the server may take.
const FAREWELL: Duration = Duration::from_secs(1);

impl MySqlSchema {
    /// Ends the session, which the server would note as broken off otherwise.
    pub(super) async fn close(self) -> Namespace {
        // What is to be done was done, and a server that does not listen ends it by itself.
        let _ = timeout(FAREWELL, self.connection.close()).await;
        self.namespace
    }

    /// Runs a statement that holds no values.
    async fn run(&mut self, text: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut self.connection)
            .await
            .map(|_| ())
    }

    /// Waits until no other node migrates; that ends before the call does.
    async fn take_lock(&mut self) -> Outcome<()> {
        let wait = self.timeout.mul_f64(0.75).as_secs().clamp(1, 1_000_000);
        let text = format!("SELECT GET_LOCK({LOCK_NAME}, ?)");
        let row = sqlx::query(AssertSqlSafe(text))
            .bind(self.namespace.as_str())
            .bind(wait)
            .fetch_one(&mut self.connection)
            .await
            .map_err(failure::of_statement)?;
        if row.optional_integer(0).map_err(failure::of_row)? != Some(1) {
            return Err(Failure::refused(
                ErrorKind::Unavailable,
                "another node has been migrating the store all the time",
            ));
        }
        Ok(())
    }

    /// Gives the store its identity, once.
    async fn identify(&mut self) -> Outcome<()> {
        let text = "INSERT INTO store (one, id) VALUES (1, ?) ON DUPLICATE KEY UPDATE one = 1";
        sqlx::query(text)
            .bind(StoreId::generate().to_u64().cast_signed())
            .execute(&mut self.connection)
            .await
            .map_err(failure::of_statement)?;
        Ok(())
    }

    async fn note(&mut self, step: &Step, now: Timestamp) -> Outcome<()> {
        let text = "INSERT INTO migrations (version, name, applied_at) VALUES (?, ?, ?) \
             ON DUPLICATE KEY UPDATE applied_at = applied_at";
        sqlx::query(text)
            .bind(i64::from(step.version))
            .bind(step.name.as_bytes())
            .bind(now.as_micros())
            .execute(&mut self.connection)
            .await
            .map_err(failure::of_statement)?;
        Ok(())
    }
}

#[async_trait]
impl Schema for MySqlSchema {
    fn steps(&self) -> &'static [Step] {
        STEPS
    }

    async fn applied(&mut self) -> Outcome<Vec<u32>> {
        let database = self.namespace.quoted();
        let text =
            format!("SELECT version, name, applied_at FROM {database}.migrations ORDER BY version");
        let rows = sqlx::query(AssertSqlSafe(text))
            .fetch_all(&mut self.connection)
            .await;
        let rows = match rows {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            rows => rows.map_err(failure::of_statement)?,
        };
        let versions = read(&rows, |row| count("version", row.integer(0)?))?;
        // One beyond what a step can have is newer than all that are known.
        let number = |version| u32::try_from(version).unwrap_or(u32::MAX);
        Ok(versions.into_iter().map(number).collect())
    }

    async fn lock(&mut self) -> Outcome<()> {
        let database = self.namespace.quoted();
        self.take_lock().await?;
        let contents = Contents::read(&mut self.connection, &self.namespace).await?;
        contents.check_can_hold()?;
        for text in [
            format!("CREATE DATABASE IF NOT EXISTS {database}"),
            format!("USE {database}"),
            NOTES.to_owned(),
        ] {
            self.run(&text).await.map_err(failure::of_statement)?;
        }
        Ok(())
    }

    /// The server commits at each statement that changes a table, so a step can be cut between any
    /// two. Every statement is one that can be given again: it does nothing, does the same, or is
    /// refused because it was done.
    async fn apply(&mut self, step: &Step, now: Timestamp) -> Outcome<()> {
        for text in step.sql.split(';').filter(|text| !text.trim().is_empty()) {
            match self.run(text).await {
                Err(error) if is_done(&error) => {}
                outcome => outcome.map_err(failure::of_statement)?,
            }
        }
        if step.version == 1 {
            self.identify().await?;
        }
        self.note(step, now).await
    }

    async fn watch(&mut self) -> Outcome<Option<Box<dyn Watch>>> {
        let row = sqlx::query("SELECT CAST(CONNECTION_ID() AS SIGNED)")
            .fetch_one(&mut self.connection)
            .await
            .map_err(failure::of_statement)?;
        Ok(Some(Box::new(SessionWatch {
            sessions: Arc::clone(&self.sessions),
            number: row.integer(0).map_err(failure::of_row)?,
        })))
    }

    async fn unlock(&mut self) -> Outcome<()> {
        let text = format!("SELECT RELEASE_LOCK({LOCK_NAME})");
        sqlx::query(AssertSqlSafe(text))
            .bind(self.namespace.as_str())
            .fetch_all(&mut self.connection)
            .await
            .map_err(failure::of_statement)?;
        Ok(())
    }

    /// Refuses a database that is not a store's, or in which something else stands.
    async fn drop_namespace(&mut self) -> Outcome<()> {
        self.take_lock().await?;
        let contents = Contents::read(&mut self.connection, &self.namespace).await?;
        if !contents.check_can_go()? {
            return Ok(());
        }
        let text = format!("DROP DATABASE IF EXISTS {}", self.namespace.quoted());
        self.run(&text).await.map_err(failure::of_statement)
    }
}

/// Looks after a session by its number.
struct SessionWatch {
    sessions: Arc<Sessions>,
    number: i64,
}

#[async_trait]
impl Watch for SessionWatch {
    async fn is_there(&self) -> Outcome<bool> {
        let mut connection = self.sessions.connect().await?;
        let found = sqlx::query("SELECT 1 FROM information_schema.processlist WHERE id = ?")
            .bind(self.number)
            .fetch_optional(&mut connection)
            .await
            .map_err(failure::of_statement)?;
        // What is to be known is known, and the server ends the session by itself.
        let _ = connection.close().await;
        Ok(found.is_some())
    }
}

/// No such database, or no such table.
fn is_absent(error: &sqlx::Error) -> bool {
    matches!(failure::number(error), Some(1049 | 1146))
}

/// The column is there already.
fn is_done(error: &sqlx::Error) -> bool {
    failure::number(error) == Some(1060)
}
