//! The example keeps the contract.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use custom_backend::FileDriver;
use tempfile::TempDir;
use tokenkeep::{Clock, Error, ErrorKind, Result, TokenDriver};
use tokenkeep_conformance::{Level, Store, Suite, from_fn};

/// A file in a folder of its own.
struct FileStore {
    driver: FileDriver,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    folder: TempDir,
}

impl FileStore {
    async fn empty(clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let folder = tempfile::tempdir().map_err(unusable)?;
        let path = folder.path().join("tokens.jsonl");
        let driver = open(&path, &clock).await?;
        Ok(Box::new(Self {
            driver,
            path,
            clock,
            folder,
        }))
    }
}

async fn open(path: &Path, clock: &Arc<dyn Clock>) -> Result<FileDriver> {
    FileDriver::open(path.to_owned(), Duration::from_secs(10), Arc::clone(clock)).await
}

fn unusable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Config, "the folder cannot be used").with_source(error)
}

#[async_trait]
impl Store for FileStore {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::new(self.driver.clone())
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        Ok(self.driver())
    }

    /// A namespace of this backend is a file.
    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        let path = self.folder.path().join("neighbour.jsonl");
        Ok(Arc::new(open(&path, &self.clock).await?))
    }

    async fn contents(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).map_err(unusable)
    }

    async fn reopen(&mut self) -> Result<()> {
        self.driver.close().await?;
        self.driver = open(&self.path, &self.clock).await?;
        Ok(())
    }

    /// What a killed process leaves: all that was acknowledged, since it was on disk by then, and
    /// perhaps the beginning of a line that was not.
    async fn kill(&mut self) -> Result<()> {
        self.driver.close().await?;
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&self.path)
            .map_err(unusable)?;
        file.write_all(b"{\"put\":[{\"id\":\"00")
            .map_err(unusable)?;
        self.driver = open(&self.path, &self.clock).await?;
        Ok(())
    }
}

fn main() -> ExitCode {
    Suite::new("file", from_fn(FileStore::empty))
        .decline_level(
            Level::Faults,
            "a file has no server that could freeze or stop",
        )
        .decline_case(
            "short_calls_get_their_turn_beside_a_long_create_many",
            "a batch is one append to the file, and everyone else waits for it",
        )
        .main()
}
