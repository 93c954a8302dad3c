//! How a store is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokenkeep_backend::Tls;
use tokenkeep_core::{Durability, Limits};
use zeroize::Zeroizing;

/// What every SQL store is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlOptions {
    /// The most connections that the driver holds. For SQLite the most that read; one more writes.
    /// Default: 8, and 4 for SQLite.
    pub pool_size: u32,
    /// The longest that a call takes, waiting for a connection included (R16). Calls that touch many
    /// records take it for each of their steps. Default: 10 s.
    pub timeout: Duration,
    /// What an acknowledged write survives (R15): `Sync` or `Relaxed`. Default: `Sync`.
    pub durability: Durability,
    /// What to do about a schema that is not the newest. Default: apply what is missing.
    pub migrations: Migrations,
    /// The limits of a record.
    pub limits: Limits,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            pool_size: 8,
            timeout: Duration::from_secs(10),
            durability: Durability::Sync,
            migrations: Migrations::Auto,
            limits: Limits::default(),
        }
    }
}

/// What opening a store does about its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrations {
    /// Applies the steps that are missing, and makes a store that is not there.
    Auto,
    /// Refuses a store whose schema is not the newest, with a `Config` error.
    Check,
}

/// A namespace on a PostgreSQL, MySQL or MariaDB server.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// A host name or address; or, beginning with `/`, the folder (PostgreSQL) or the path (MySQL)
    /// of a Unix socket.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// Its password, if it needs one.
    pub password: Option<Zeroizing<String>>,
    /// The database to connect to.
    pub database: String,
    /// The namespace (R18): a schema on PostgreSQL, a database on MySQL and MariaDB.
    pub namespace: String,
    /// Whether and how the connection is encrypted.
    pub tls: Tls,
    /// How long the server may work on one statement; at most [`SqlOptions::timeout`]. Default:
    /// PostgreSQL nine tenths of it, so that the server's answer comes first; others all of it.
    pub statement_timeout: Option<Duration>,
    /// What every store is opened with.
    pub common: SqlOptions,
}

#[cfg(any(feature = "mysql", feature = "postgres"))]
impl ServerOptions {
    /// Where the server is, for errors and reports: a socket's path, or host and port.
    pub(crate) fn address(&self) -> String {
        match self.host.starts_with('/') {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("namespace", &self.namespace)
            .field("tls", &self.tls)
            .field("statement_timeout", &self.statement_timeout)
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}

/// A store in an SQLite file, which is its own namespace (R18).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The file. SQLite keeps two more beside it, with `-wal` and `-shm` behind its name.
    pub path: PathBuf,
    /// Whether a file that is not there is made. Default: yes.
    pub create: bool,
    /// What every store is opened with.
    pub common: SqlOptions,
}

impl SqliteOptions {
    /// The defaults for this file.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            create: true,
            common: SqlOptions {
                pool_size: 4,
                ..SqlOptions::default()
            },
        }
    }
}
