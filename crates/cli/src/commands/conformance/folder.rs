//! An embedded store in a folder: all that the suite may do to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep::{Clock, Error, ErrorKind, MemoryDriver, Registry, Result, StoreUrl, TokenDriver};
use tokenkeep_conformance::{Store, files};

/// One store in a folder of its own, which goes with it.
pub(super) struct FolderStore {
    driver: Arc<dyn TokenDriver>,
    // Its own, since a registry shares what it has opened before.
    registry: Registry,
    url: StoreUrl,
    clock: Arc<dyn Clock>,
    home: Home,
    kills: u32,
}

impl FolderStore {
    /// Makes the folder and opens a store in it, configured as this URL says.
    pub(super) async fn open(url: &StoreUrl, home: PathBuf, clock: Arc<dyn Clock>) -> Result<Self> {
        let home = Home::make(home)?;
        let url = url.clone().with_path(&home.0.join("0"))?;
        let registry = Registry::builtin();
        Ok(Self {
            driver: registry.open(&url, Arc::clone(&clock)).await?,
            registry,
            url,
            clock,
            home,
            kills: 0,
        })
    }

    async fn open_again(&self) -> Result<Arc<dyn TokenDriver>> {
        self.registry.open(&self.url, Arc::clone(&self.clock)).await
    }
}

#[async_trait]
impl Store for FolderStore {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.open_again().await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        let url = self.url.clone().with_option("namespace", "neighbour")?;
        self.registry.open(&url, Arc::clone(&self.clock)).await
    }

    async fn contents(&self) -> Result<Vec<u8>> {
        files::bytes_of_one_instant(&self.url.path()?)
    }

    async fn reopen(&mut self) -> Result<()> {
        // Dropping the last handle closes the store; this one stands in its place meanwhile.
        self.driver = Arc::new(MemoryDriver::new(Arc::clone(&self.clock)));
        self.driver = self.open_again().await?;
        Ok(())
    }

    /// What the files hold at one instant is what a process killed then leaves; nothing that the
    /// store may still write reaches it.
    async fn kill(&mut self) -> Result<()> {
        self.kills += 1;
        let left = self.home.0.join(self.kills.to_string());
        files::copy_of_one_instant(&self.url.path()?, &left)?;
        self.url = self.url.clone().with_path(&left)?;
        self.driver = self.open_again().await?;
        Ok(())
    }
}

/// A folder that goes once it is dropped.
pub(super) struct Home(PathBuf);

impl Home {
    pub(super) fn make(path: PathBuf) -> Result<Self> {
        make(&path)?;
        Ok(Self(path))
    }

    /// Makes a folder in it.
    pub(super) fn part(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        make(&path)?;
        Ok(path)
    }
}

fn make(path: &Path) -> Result<()> {
    fs::create_dir(path).map_err(|error| fault(path, error))
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed now goes with the folder of the whole run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fault(path: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cannot use {}", path.display()),
    )
    .with_source(error)
}
