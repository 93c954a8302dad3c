//! A new folder for one run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokenkeep::{Error, ErrorKind};

use crate::exit::Failure;

/// A new folder inside another, which is made if need be, and then removed again if it is empty.
#[derive(Debug)]
pub(super) struct Folder {
    // Dropped, and so removed, before the folders around it.
    inner: Option<TempDir>,
    _around: MadeFolders,
}

impl Folder {
    pub(super) fn make(parent: &Path, purpose: &str) -> Result<Self, Failure> {
        let fault = |error: io::Error| {
            let kind = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Unavailable,
                _ => ErrorKind::Config,
            };
            let problem = format!("cannot make a folder in {}", parent.display());
            Error::new(kind, problem).with_source(error)
        };
        let around = MadeFolders::make(parent).map_err(fault)?;
        let prefix = format!("{purpose}-");
        let inner = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(parent)
            .map_err(fault)?;
        Ok(Self {
            inner: Some(inner),
            _around: around,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.inner.as_ref().map_or(Path::new(""), TempDir::path)
    }

    pub(super) fn remove(mut self) -> io::Result<()> {
        self.inner.take().map_or(Ok(()), TempDir::close)
    }
}

/// Folders that had to be made; dropped, those of them go that are empty.
#[derive(Debug)]
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    fn make(path: &Path) -> io::Result<Self> {
        let missing = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made = Self(missing.map(Path::to_owned).collect());
        fs::create_dir_all(path)?;
        Ok(made)
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Refused by the system unless it is empty, which is what is wanted.
            let _ = fs::remove_dir(folder);
        }
    }
}
