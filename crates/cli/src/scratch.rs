//! A store for one run of this program alone, which cannot meet the user's own tokens.

mod folder;
mod namespaces;

use std::path::Path;
use std::sync::Arc;

use tokenkeep::{Clock, Error, ErrorKind, Registry, StoreId, StoreUrl, TokenDriver};
use tokio::task::JoinHandle;

use self::folder::Folder;
pub(crate) use self::namespaces::Namespaces;
use crate::exit::Failure;
use crate::session::is_redis;

/// A place beside the user's store and of the same kind: a new folder in an embedded store's folder,
/// or beside its file; new namespaces of a server. Dropping it removes the folder, and nothing else.
#[derive(Debug)]
pub(crate) struct Scratch {
    url: StoreUrl,
    place: Place,
    /// Whether a store was opened in it, or may have been made.
    is_used: bool,
    opening: Option<Opening>,
}

/// A task of its own: cut off in the middle, a server might make what was removed already.
type Opening = JoinHandle<tokenkeep::Result<Arc<dyn TokenDriver>>>;

#[derive(Debug)]
enum Place {
    /// A new store each time anyway.
    Memory,
    Folder(Folder),
    Namespaces(Namespaces),
}

impl Scratch {
    /// Makes a place for this purpose, a word that stands in its name.
    pub(crate) fn beside(
        url: &StoreUrl,
        purpose: &str,
        registry: &Registry,
    ) -> Result<Self, Failure> {
        match url.scheme() {
            "memory" => Ok(Self {
                url: url.clone(),
                place: Place::Memory,
                is_used: false,
                opening: None,
            }),
            "sled" => Self::in_folder(url, &url.path()?, None, purpose),
            "sqlite" => {
                let path = url.path()?;
                let parent = path.parent().unwrap_or(Path::new(""));
                let parent = if parent == Path::new("") {
                    Path::new(".")
                } else {
                    parent
                };
                Self::in_folder(url, parent, Some("tokens.db"), purpose)
            }
            _ => {
                let name = format!("{purpose}_{:016x}", StoreId::generate().to_u64());
                let url = may_be_made(url.clone().with_option("namespace", &name)?)?;
                let namespaces = Namespaces::new(registry.clone());
                namespaces.expect(&url);
                Ok(Self {
                    url,
                    place: Place::Namespaces(namespaces),
                    is_used: false,
                    opening: None,
                })
            }
        }
    }

    /// A new folder in this one, or a file in it.
    fn in_folder(
        url: &StoreUrl,
        parent: &Path,
        file: Option<&str>,
        purpose: &str,
    ) -> Result<Self, Failure> {
        let folder = Folder::make(parent, purpose)?;
        let path = file.map_or_else(|| folder.path().to_owned(), |file| folder.path().join(file));
        Ok(Self {
            url: may_be_made(url.clone().with_path(&path)?)?,
            place: Place::Folder(folder),
            is_used: false,
            opening: None,
        })
    }

    pub(crate) fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Opens the store in it.
    pub(crate) async fn open(
        &mut self,
        registry: &Registry,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn TokenDriver>, Failure> {
        if self.namespaces().is_some() {
            if registry.schema(&self.url).await?.is_none() {
                self.ask(registry, Arc::clone(&clock)).await?;
            }
            // Once the server has answered, a namespace may be made even where opening it fails.
            self.is_used = true;
        }
        let (registry, url) = (registry.clone(), self.url.clone());
        let open = async move { registry.open(&url, clock).await };
        let opening = self.opening.insert(tokio::spawn(open));
        let opened = opening.await;
        self.opening = None;
        let cut_short = |error| {
            let problem = "opening the store was cut short";
            Error::new(ErrorKind::Internal, problem).with_source(error)
        };
        let opened = opened.map_err(cut_short)?;
        let is_refused = |error: &Error| error.kind() == ErrorKind::Config;
        if is_redis(&self.url) && opened.as_ref().is_err_and(is_refused) {
            // Without a schema nothing is made before all is as it should be.
            self.is_used = false;
        }
        let driver = opened?;
        self.is_used = true;
        Ok(driver)
    }

    /// Finds out whether a server without schemas answers, and makes nothing.
    async fn ask(&self, registry: &Registry, clock: Arc<dyn Clock>) -> Result<(), Failure> {
        let url = self.url.clone().with_option("create", "false")?;
        match registry.open(&url, clock).await {
            // There is no such store, or it is said once more what is wrong.
            Err(error) if error.kind() == ErrorKind::Config => Ok(()),
            opened => Ok(opened.map(drop)?),
        }
    }

    /// Notes that stores are opened in it by others.
    pub(crate) fn note_use(&mut self) {
        self.is_used = true;
    }

    /// Waits until what was being opened when the program was told to end is open; the store's own
    /// timeout bounds it.
    pub(crate) async fn settle(&mut self) {
        if let Some(opening) = self.opening.take() {
            // However it ended, what it made is removed next.
            let _ = opening.await;
            self.is_used = true;
        }
    }

    /// Tells whether a store may have been made in it; if not, hardly anything can remain.
    pub(crate) const fn is_used(&self) -> bool {
        self.is_used
    }

    /// Where further namespaces of the same server are noted, so that they go with the place.
    pub(crate) fn namespaces(&self) -> Option<Namespaces> {
        match &self.place {
            Place::Namespaces(namespaces) => Some(namespaces.clone()),
            Place::Memory | Place::Folder(_) => None,
        }
    }

    /// Removes the place, once its store is closed; says what remains, if anything does.
    pub(crate) async fn clean_up(self) -> Option<String> {
        match self.place {
            Place::Memory => None,
            Place::Folder(folder) => {
                let path = folder.path().display().to_string();
                let removed = folder.remove();
                removed
                    .err()
                    .map(|error| format!("{path} remains: {error}"))
            }
            Place::Namespaces(namespaces) => namespaces.remove_all().await,
        }
    }
}

/// The URL may forbid to make a store in the user's place, but this one is new.
fn may_be_made(mut url: StoreUrl) -> Result<StoreUrl, Failure> {
    for (option, forbids, allows) in [("create", "false", "true"), ("migrations", "check", "auto")]
    {
        let given = url.options().text(option);
        if given.is_some_and(|given| given.as_str() == forbids) {
            url = url.with_option(option, allows)?;
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn registry() -> Registry {
        Registry::builtin()
    }

    fn url_in(folder: &Path) -> StoreUrl {
        let url: StoreUrl = "sled:.?durability=relaxed".parse().unwrap();
        url.with_path(folder).unwrap()
    }

    #[tokio::test]
    async fn it_leaves_the_folder_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("db"), "the user's own").unwrap();
        let scratch = Scratch::beside(&url_in(home.path()), "demo", &registry()).unwrap();
        let path = scratch.url().path().unwrap();
        assert!(path.starts_with(home.path()) && path != home.path());
        fs::write(path.join("db"), "scratch").unwrap();
        assert_eq!(scratch.clean_up().await, None);
        let left: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn folders_that_it_made_go_with_it() {
        let home = tempfile::tempdir().unwrap();
        let scratch =
            Scratch::beside(&url_in(&home.path().join("a/b")), "demo", &registry()).unwrap();
        assert!(home.path().join("a/b").is_dir());
        drop(scratch);
        assert!(!home.path().join("a").exists());
        assert!(home.path().exists());
    }

    #[tokio::test]
    async fn a_file_gets_another_in_a_folder_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let url: StoreUrl = "sqlite:x?create=false&timeout=1s".parse().unwrap();
        let url = url.with_path(&home.path().join("mine.db")).unwrap();
        let scratch = Scratch::beside(&url, "demo", &registry()).unwrap();
        let path = scratch.url().path().unwrap();
        assert_eq!(path.parent().unwrap().parent(), Some(home.path()));
        let shown = scratch.url().to_string();
        assert!(
            shown.contains("create=true") && shown.contains("timeout=1s"),
            "{shown}"
        );
        assert_eq!(scratch.clean_up().await, None);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_server_gets_a_namespace_and_keeps_its_other_options() {
        // Nothing listens there, and it says so at once.
        let url: StoreUrl = "postgres://ada:s3cret@127.0.0.1:1/tokens?namespace=mine&pool_size=4"
            .parse()
            .unwrap();
        let scratch = Scratch::beside(&url, "demo", &registry()).unwrap();
        let shown = scratch.url().to_string();
        assert!(
            shown.contains("pool_size=4") && !shown.contains("mine"),
            "{shown}"
        );
        let name = scratch.url().options().text("namespace").unwrap();
        let remains = scratch.clean_up().await.unwrap();
        let statement = format!("DROP SCHEMA IF EXISTS {} CASCADE;", *name);
        assert!(remains.contains(&statement), "{remains}");
        assert!(remains.contains("Unavailable"), "{remains}");
        assert!(!remains.contains("s3cret"), "{remains}");
    }
}
