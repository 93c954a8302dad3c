//! The conformance suite on sled.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokenkeep_conformance::{Level, Store, Suite, files, from_fn};
use tokenkeep_core::{Clock, Error, ErrorKind, MemoryDriver, Result, TokenDriver};
use tokenkeep_sled::{SledDriver, SledOptions, SledStore};

/// How long a call may take: longer than the disk stands still under other programs' writes.
const PATIENT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let backend = from_fn(|clock| async move {
        let store = SledCase::open(clock).await?;
        Ok(Box::new(store) as Box<dyn Store>)
    });
    Suite::new("sled", backend)
        .decline_level(
            Level::Faults,
            "the store is a folder of this process: there is no server to freeze or stop",
        )
        .main()
}

/// A store in a folder of its own.
struct SledCase {
    driver: Arc<dyn TokenDriver>,
    store: Option<SledStore>,
    clock: Arc<dyn Clock>,
    folder: TempDir,
}

impl SledCase {
    async fn open(clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(failed)?;
        let (store, driver) = open(&folder, &clock).await?;
        Ok(Self {
            driver: Arc::new(driver),
            store: Some(store),
            clock,
            folder,
        })
    }

    /// Closes the store by dropping all its handles.
    fn close(&mut self) {
        self.store = None;
        self.driver = Arc::new(MemoryDriver::new(Arc::clone(&self.clock)));
    }

    async fn open_again(&mut self) -> Result<()> {
        let (store, driver) = open(&self.folder, &self.clock).await?;
        self.driver = Arc::new(driver);
        self.store = Some(store);
        Ok(())
    }

    async fn handle(&self, namespace: &str) -> Result<Arc<dyn TokenDriver>> {
        let store = self.store.as_ref().ok_or(ErrorKind::Internal)?;
        Ok(Arc::new(store.driver(namespace).await?))
    }
}

async fn open(folder: &TempDir, clock: &Arc<dyn Clock>) -> Result<(SledStore, SledDriver)> {
    let options = SledOptions::new(folder.path()).with_timeout(PATIENT);
    let store = SledStore::open(options, Arc::clone(clock)).await?;
    let driver = store.driver("case").await?;
    Ok((store, driver))
}

#[async_trait]
impl Store for SledCase {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle("case").await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle("neighbour").await
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
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "the test's folder").with_source(error)
}
