//! Connections to the file, and how they are set up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use tokenkeep_backend::{Call, Cause, ENDLESS, Effect, Outcome};
use tokenkeep_core::{Durability, Error, ErrorKind, Result};

use super::failure::{failed, reading};
use super::file::{StoreFile, blocking};
use super::location::locate;
use super::session::Session;
use super::{DRIVER, log, statements};
use crate::options::SqliteOptions;
use crate::pool;

/// The longest that SQLite itself waits for another program. The driver then tries again, so that other
/// calls get the one writer in between, and a call out of time knows that nothing was done.
const MAX_BUSY: Duration = Duration::from_millis(100);

/// How long to wait where SQLite itself does not, before the next attempt.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Reads,
    Writes,
}

/// Makes connections to one file.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    path: PathBuf,
    text: String,
    create: bool,
    timeout: Duration,
    synchronous: SqliteSynchronous,
}

impl Connector {
    /// For this file, which need not be there yet.
    pub(super) async fn new(options: &SqliteOptions) -> Result<Self> {
        let refused = |problem: String| {
            Error::new(ErrorKind::Config, problem)
                .with_driver(DRIVER)
                .with_operation("open")
        };
        let synchronous = match options.common.durability {
            Durability::Sync => SqliteSynchronous::Full,
            Durability::Relaxed => SqliteSynchronous::Normal,
            Durability::Volatile => {
                let problem = "durability is volatile, which a file is not";
                return Err(refused(problem.to_owned()));
            }
        };
        let timeout = options.common.timeout.min(ENDLESS);
        let given = options.path.clone();
        let located = blocking(move || locate(&given));
        let located = Call::within(timeout).bound(located).await;
        let path = located.map_err(|failure| {
            let error = failure.into_error(Effect::Reads);
            error.with_driver(DRIVER).with_operation("open")
        })?;
        let path = path.map_err(refused)?;
        let Some(text) = path.to_str().map(str::to_owned) else {
            return Err(refused(format!("the path {} is not UTF-8", path.display())));
        };
        Ok(Self {
            path,
            text,
            create: options.create,
            timeout,
            synchronous,
        })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &str {
        &self.text
    }

    /// The file's path as the system has it.
    pub(super) fn file(&self) -> &Path {
        &self.path
    }

    /// The last part of the path.
    pub(super) fn file_name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.unwrap_or(&self.text)
    }

    /// How long SQLite itself waits for another program.
    pub(super) fn busy(&self) -> Duration {
        (self.timeout / 8).min(MAX_BUSY)
    }

    /// How much of a call's time has to be left for a write to begin. One that is cut off leaves doubt,
    /// and on a busy machine a wait that is over is heard of late.
    pub(super) fn margin(&self) -> Duration {
        (self.timeout / 8).max(self.busy() * 2)
    }

    /// How long a look after the schema waits for another program: so much less than its caller that it
    /// can be told why it waited in vain.
    pub(super) fn patience(&self) -> Duration {
        self.timeout.saturating_sub(self.margin())
    }

    /// Whether a file that is not there may be made.
    pub(super) const fn may_create(&self) -> bool {
        self.create
    }

    /// Opens the file, making it if asked to.
    pub(super) async fn open(&self, role: Role, create: bool) -> sqlx::Result<SqliteConnection> {
        let cache_kib = match role {
            Role::Reads => "-16384",
            Role::Writes => "-65536",
        };
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(create)
            .busy_timeout(self.busy())
            .synchronous(self.synchronous)
            .pragma("wal_autocheckpoint", log::CHECKPOINT_PAGES)
            .pragma("journal_size_limit", log::KEPT_BYTES)
            .pragma("cache_size", cache_kib)
            .foreign_keys(false)
            .disable_statement_logging()
            .connect()
            .await
    }
}

/// A pool's connections.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) connector: Connector,
    pub(super) file: Arc<StoreFile>,
    pub(super) role: Role,
}

#[async_trait]
impl pool::Connector for Connections {
    type Connection = Session;

    /// A session that was given up commits nothing any more.
    const WORKS_ON: bool = false;

    async fn connect(&self) -> Outcome<Session> {
        // Not to make anything of a file that took the place of ours, nor beside it.
        self.file.look().await?;
        let connection = self.connector.open(self.role, false).await;
        let mut connection = connection.map_err(failed)?;
        // Another program may have the file for itself; the call's own bound ends this.
        while let Err(failure) = self.file.recognize(&mut connection).await {
            if failure.cause != Cause::Again {
                return Err(failure);
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.file.look().await?;
        Session::new(connection, &self.file).await
    }

    async fn reset(&self, session: &mut Session) -> Outcome<()> {
        self.file.glance().await?;
        sqlx::query(statements::PROOF)
            .execute(&mut **session)
            .await
            .map(|_| ())
            .map_err(reading)
    }
}
