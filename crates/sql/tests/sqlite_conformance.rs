//! The conformance suite on SQLite.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokenkeep_conformance::sqlite_locks::SqliteLocks;
use tokenkeep_conformance::{Backend, Store, Suite, files};
use tokenkeep_core::{Clock, Error, ErrorKind, MemoryDriver, Result, TokenDriver};
use tokenkeep_sql::{SqlDriver, SqliteOptions, sqlite};

/// How long a call may take: longer than the disk stands still under other programs' writes.
const PATIENT: Duration = Duration::from_secs(60);

/// How long one may take that a case holds up, and waits for.
const HELD_UP: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    Suite::new("sqlite", Sqlite).main()
}

struct Sqlite;

#[async_trait]
impl Backend for Sqlite {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        Ok(Box::new(SqliteCase::open(clock, PATIENT).await?))
    }

    async fn open_alone(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        Ok(Box::new(SqliteCase::open(clock, HELD_UP).await?))
    }
}

/// A store in a folder of its own.
struct SqliteCase {
    driver: Arc<dyn TokenDriver>,
    locks: SqliteLocks,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    folder: TempDir,
}

impl SqliteCase {
    async fn open(clock: Arc<dyn Clock>, timeout: Duration) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(failed)?;
        let driver = open(folder.path(), "case.db", &clock, timeout).await?;
        Ok(Self {
            driver: Arc::new(driver),
            locks: SqliteLocks::of(&folder.path().join("case.db"))?,
            clock,
            timeout,
            folder,
        })
    }

    async fn handle(&self, file: &str) -> Result<Arc<dyn TokenDriver>> {
        let driver = open(self.folder.path(), file, &self.clock, self.timeout).await?;
        Ok(Arc::new(driver))
    }

    async fn open_again(&mut self) -> Result<()> {
        self.driver = self.handle("case.db").await?;
        self.locks = SqliteLocks::of(&self.folder.path().join("case.db"))?;
        Ok(())
    }

    fn close(&mut self) {
        self.driver = Arc::new(MemoryDriver::new(Arc::clone(&self.clock)));
    }
}

async fn open(
    folder: &Path,
    file: &str,
    clock: &Arc<dyn Clock>,
    timeout: Duration,
) -> Result<SqlDriver> {
    let mut options = SqliteOptions::new(folder.join(file));
    options.common.timeout = timeout;
    sqlite::open(&options, Arc::clone(clock)).await
}

#[async_trait]
impl Store for SqliteCase {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle("case.db").await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle("neighbour.db").await
    }

    async fn contents(&self) -> Result<Vec<u8>> {
        files::bytes_of_one_instant(self.folder.path())
    }

    async fn reopen(&mut self) -> Result<()> {
        self.close();
        self.open_again().await
    }

    /// Opens a copy of the files as they are at one instant: what a killed process would leave.
    async fn kill(&mut self) -> Result<()> {
        let copy = tempfile::tempdir().map_err(failed)?;
        files::copy_of_one_instant(self.folder.path(), copy.path())?;
        self.close();
        self.folder = copy;
        self.open_again().await
    }

    async fn freeze(&self) -> Result<()> {
        self.locks.hold_all().await
    }

    async fn thaw(&self) -> Result<()> {
        self.locks.release()
    }

    /// There is no server that could be gone: another program has the file for itself.
    async fn stop(&self) -> Result<()> {
        self.locks.hold_all().await
    }

    async fn start(&self) -> Result<()> {
        self.locks.release()
    }

    async fn read_only(&self, on: bool) -> Result<()> {
        match on {
            true => self.locks.hold_writes().await,
            false => self.locks.release(),
        }
    }

    fn call_timeout(&self) -> Duration {
        self.timeout
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "the test's folder").with_source(error)
}
