//! A store in an SQLite file: all that the suite may do to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep::{Clock, MemoryDriver, Registry, Result, StoreUrl, TokenDriver};
use tokenkeep_conformance::sqlite_locks::SqliteLocks;
use tokenkeep_conformance::{Store, files};

use super::call_timeout;
use super::folder::Home;

/// One store in a folder of its own, which goes with it.
pub(super) struct FileStore {
    driver: Arc<dyn TokenDriver>,
    locks: SqliteLocks,
    registry: Registry,
    url: StoreUrl,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    home: Home,
    kills: u32,
}

impl FileStore {
    /// Makes the folder and opens a store in it, configured as this URL says.
    pub(super) async fn open(
        registry: &Registry,
        url: &StoreUrl,
        home: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let home = Home::make(home)?;
        let folder = home.part("0")?;
        let url = url.clone().with_path(&database(&folder))?;
        Ok(Self {
            driver: registry.open(&url, Arc::clone(&clock)).await?,
            locks: SqliteLocks::of(&database(&folder))?,
            registry: registry.clone(),
            url,
            clock,
            folder,
            home,
            kills: 0,
        })
    }

    async fn handle(&self, url: &StoreUrl) -> Result<Arc<dyn TokenDriver>> {
        self.registry.open(url, Arc::clone(&self.clock)).await
    }

    async fn open_again(&mut self) -> Result<()> {
        self.driver = self.handle(&self.url).await?;
        self.locks = SqliteLocks::of(&database(&self.folder))?;
        Ok(())
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("store.db")
}

#[async_trait]
impl Store for FileStore {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle(&self.url).await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        let file = self.folder.join("neighbour.db");
        self.handle(&self.url.clone().with_path(&file)?).await
    }

    async fn contents(&self) -> Result<Vec<u8>> {
        files::bytes_of_one_instant(&self.folder)
    }

    async fn reopen(&mut self) -> Result<()> {
        // Dropping the last handle closes the store; this one stands in its place meanwhile.
        self.driver = Arc::new(MemoryDriver::new(Arc::clone(&self.clock)));
        self.open_again().await
    }

    /// What the files hold at one instant is what a process killed then leaves; nothing that the
    /// store may still write reaches it.
    async fn kill(&mut self) -> Result<()> {
        self.kills += 1;
        let left = self.home.part(&self.kills.to_string())?;
        files::copy_of_one_instant(&self.folder, &left)?;
        self.url = self.url.clone().with_path(&database(&left))?;
        self.folder = left;
        self.open_again().await
    }

    /// Another program holds the file, and does not let go.
    async fn freeze(&self) -> Result<()> {
        self.locks.hold_all().await
    }

    async fn thaw(&self) -> Result<()> {
        self.locks.release()
    }

    /// There is no server that could be gone, so it is the same as being held.
    async fn stop(&self) -> Result<()> {
        self.locks.hold_all().await
    }

    async fn start(&self) -> Result<()> {
        self.locks.release()
    }

    async fn read_only(&self, on: bool) -> Result<()> {
        if on {
            self.locks.hold_writes().await
        } else {
            self.locks.release()
        }
    }

    fn call_timeout(&self) -> Duration {
        call_timeout(&self.url)
    }
}
