//! Connections to the file, and how they are set up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use tokenkeep_core::{Durability, Error, ErrorKind, Result};

use super::failure::{failed, reading};
use super::session::Session;
use super::{DRIVER, statements};
use crate::failure::{Failure, Outcome};
use crate::options::SqliteOptions;
use crate::pool;

/// Pages of the log after which a commit writes them into the file: 64 MiB. Each token dirties
/// pages all over the file, and a small log would write the same ones again and again.
const CHECKPOINT_PAGES: &str = "16384";

/// The longest that SQLite itself waits for another program. The driver then tries again, so that other
/// calls get the one writer in between, and a call out of time knows that nothing was done.
const MAX_BUSY: Duration = Duration::from_millis(100);

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
    busy: Duration,
    synchronous: SqliteSynchronous,
}

impl Connector {
    /// For this file, which need not be there yet.
    pub(super) fn new(options: &SqliteOptions) -> Result<Self> {
        let refused = |problem: String| {
            Err(Error::new(ErrorKind::Config, problem)
                .with_driver(DRIVER)
                .with_operation("open"))
        };
        // An absolute path begins with `/`, so that SQLite takes it neither for a URI nor for a
        // database in memory.
        let path = match std::path::absolute(&options.path) {
            Ok(path) => path,
            Err(_) => return refused("the path of the file is empty".to_owned()),
        };
        let Some(text) = path.to_str().map(str::to_owned) else {
            return refused(format!("the path {} is not UTF-8", path.display()));
        };
        if path.is_dir() {
            return refused(format!("{text} is a folder, not a file"));
        }
        if path.parent().is_some_and(|folder| !folder.is_dir()) {
            return refused(format!("there is no folder for the file {text}"));
        }
        let synchronous = match options.common.durability {
            Durability::Sync => SqliteSynchronous::Full,
            Durability::Relaxed => SqliteSynchronous::Normal,
            Durability::Volatile => {
                return refused("durability is volatile, which a file is not".to_owned());
            }
        };
        Ok(Self {
            path,
            text,
            create: options.create,
            busy: (options.common.timeout / 8).min(MAX_BUSY),
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
    pub(super) const fn busy(&self) -> Duration {
        self.busy
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
            .busy_timeout(self.busy)
            .synchronous(self.synchronous)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
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
    pub(super) role: Role,
}

#[async_trait]
impl pool::Connector for Connections {
    type Connection = Session;

    /// A session that was given up commits nothing any more.
    const WORKS_ON: bool = false;

    async fn connect(&self) -> Outcome<Session> {
        // The file was there when the store was opened; a new one would be an empty store.
        if !self.connector.file().exists() {
            let problem = format!("the file {} is gone", self.connector.path());
            return Err(Failure::refused(ErrorKind::Unavailable, problem));
        }
        let connection = self.connector.open(self.role, false).await;
        Session::new(connection.map_err(failed)?).await
    }

    async fn reset(&self, session: &mut Session) -> Outcome<()> {
        sqlx::query(statements::PROOF)
            .execute(&mut **session)
            .await
            .map(|_| ())
            .map_err(reading)
    }
}
