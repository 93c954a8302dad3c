//! A store for one run of this program alone, which cannot meet the user's own tokens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokenkeep::{Error, ErrorKind, StoreId, StoreUrl};

use crate::exit::Failure;

/// A place beside the user's store and of the same kind: a new folder in an embedded store's folder,
/// a new namespace of a server. Dropping it removes the folder, and nothing else.
#[derive(Debug)]
pub(crate) struct Scratch {
    url: StoreUrl,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A new store each time anyway.
    Memory,
    Folder(Folder),
    Namespace(String),
}

impl Scratch {
    /// Makes a place for this purpose, a word that stands in its name.
    pub(crate) fn beside(url: &StoreUrl, purpose: &str) -> Result<Self, Failure> {
        let (url, place) = match url.scheme() {
            "memory" => (url.clone(), Place::Memory),
            "sled" => {
                let folder = Folder::make(&url.path()?, purpose)?;
                let mut url = url.clone().with_path(folder.path())?;
                // It may forbid new stores in the user's place, but this one is new.
                if url.options().text("create").is_some() {
                    url = url.with_option("create", "true")?;
                }
                (url, Place::Folder(folder))
            }
            _ => {
                let name = format!("{purpose}_{:016x}", StoreId::generate().to_u64());
                let url = url.clone().with_option("namespace", &name)?;
                (url, Place::Namespace(name))
            }
        };
        Ok(Self { url, place })
    }

    pub(crate) fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Removes the place, once its store is closed; says what remains, if anything does.
    pub(crate) fn clean_up(self) -> Option<String> {
        match self.place {
            Place::Memory => None,
            Place::Folder(folder) => {
                let path = folder.path().display().to_string();
                let removed = folder.remove();
                removed
                    .err()
                    .map(|error| format!("{path} remains: {error}"))
            }
            Place::Namespace(name) => Some(format!("the empty namespace {name} remains")),
        }
    }
}

/// A new folder inside another, which is made if need be, and then removed again if it is empty.
#[derive(Debug)]
struct Folder {
    // Dropped, and so removed, before the folders around it.
    inner: Option<TempDir>,
    _around: MadeFolders,
}

impl Folder {
    fn make(parent: &Path, purpose: &str) -> Result<Self, Failure> {
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

    fn path(&self) -> &Path {
        self.inner.as_ref().map_or(Path::new(""), TempDir::path)
    }

    fn remove(mut self) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn url_in(folder: &Path) -> StoreUrl {
        let url: StoreUrl = "sled:.?durability=relaxed".parse().unwrap();
        url.with_path(folder).unwrap()
    }

    #[test]
    fn it_leaves_the_folder_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("db"), "the user's own").unwrap();
        let scratch = Scratch::beside(&url_in(home.path()), "demo").unwrap();
        let path = scratch.url().path().unwrap();
        assert!(path.starts_with(home.path()) && path != home.path());
        fs::write(path.join("db"), "scratch").unwrap();
        assert_eq!(scratch.clean_up(), None);
        let left: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn folders_that_it_made_go_with_it() {
        let home = tempfile::tempdir().unwrap();
        let scratch = Scratch::beside(&url_in(&home.path().join("a/b")), "demo").unwrap();
        assert!(home.path().join("a/b").is_dir());
        drop(scratch);
        assert!(!home.path().join("a").exists());
        assert!(home.path().exists());
    }

    #[test]
    fn a_server_gets_a_namespace_and_keeps_its_other_options() {
        let url: StoreUrl = "postgres://ada:s3cret@db/tokens?namespace=mine&pool_size=4"
            .parse()
            .unwrap();
        let scratch = Scratch::beside(&url, "demo").unwrap();
        let shown = scratch.url().to_string();
        assert!(
            shown.contains("pool_size=4") && !shown.contains("mine"),
            "{shown}"
        );
        let remains = scratch.clean_up().unwrap();
        assert!(remains.contains("namespace demo_"), "{remains}");
    }
}
