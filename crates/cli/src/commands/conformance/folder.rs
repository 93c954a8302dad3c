//! An embedded store in a folder: all that the suite may do to it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep::{Clock, Error, ErrorKind, MemoryDriver, Registry, Result, StoreUrl, TokenDriver};
use tokenkeep_conformance::Store;

/// How long two readings of a store's files may take to agree.
const STILL: Duration = Duration::from_secs(60);

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
        fs::create_dir(&home).map_err(|error| fault(&home, error))?;
        let home = Home(home);
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
        let files = still_image(&self.url.path()?)?;
        Ok(files.into_values().flatten().collect())
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
        let files = still_image(&self.url.path()?)?;
        self.kills += 1;
        let left = self.home.0.join(self.kills.to_string());
        write_files(&left, &files).map_err(|error| fault(&left, error))?;
        self.url = self.url.clone().with_path(&left)?;
        self.driver = self.open_again().await?;
        Ok(())
    }
}

/// A folder that goes once it is dropped.
struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed now goes with the folder of the whole run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The files of a folder, by their paths in it.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What the files hold at one instant, though a store may be writing them: two readings that agree
/// show what was there between the end of the first and the beginning of the second.
fn still_image(folder: &Path) -> Result<Files> {
    let began = Instant::now();
    let mut before = None;
    while began.elapsed() < STILL {
        let mut files = Files::new();
        match read_files(folder, Path::new(""), &mut files) {
            Ok(()) if before.as_ref() == Some(&files) => return Ok(files),
            Ok(()) => before = Some(files),
            // A file was removed while the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => before = None,
            Err(error) => return Err(fault(folder, error)),
        }
    }
    let problem = format!("{} did not hold still for {STILL:?}", folder.display());
    Err(Error::new(ErrorKind::Unavailable, problem))
}

fn read_files(folder: &Path, within: &Path, files: &mut Files) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(within))? {
        let entry = entry?;
        let path = within.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read_files(folder, &path, files)?;
        } else {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

fn write_files(folder: &Path, files: &Files) -> io::Result<()> {
    for (path, bytes) in files {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

fn fault(path: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cannot use {}", path.display()),
    )
    .with_source(error)
}
