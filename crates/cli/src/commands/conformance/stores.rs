//! The stores that the cases run on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use tokenkeep::{Clock, Error, ErrorKind, Registry, Result, StoreUrl};
use tokenkeep_conformance::{Backend, Level, Owned, Store, Suite};

use super::file::FileStore;
use super::folder::FolderStore;
use super::server::Server;
use super::with_short_timeout;
use crate::scratch::Scratch;

/// Cases that are declined by name.
const SECRET_SCAN: &str = "what_is_stored_holds_no_secret";
const READ_ONLY: &[&str] = &[
    "a_read_only_backend_refuses_every_write",
    "a_read_only_backend_answers_every_read",
    "a_writable_backend_is_as_the_errors_said",
    "a_writable_backend_is_used_again",
    "writers_over_a_read_only_spell_were_told_the_truth",
];
const NAMES_NAMESPACE: &str = "a_neighbour_names_another_namespace";

/// Opens a new store for each case, in the place made for the run.
#[derive(Clone)]
pub(super) struct Stores {
    registry: Registry,
    url: StoreUrl,
    /// Where the stores of a server are made.
    server: Option<Server>,
    opened: Arc<AtomicU64>,
    has_ended: Arc<AtomicBool>,
}

impl Stores {
    pub(super) fn new(registry: Registry, place: &Scratch) -> Self {
        let url = place.url().clone();
        let server = place.namespaces();
        Self {
            server: server.map(|namespaces| Server::new(registry.clone(), url.clone(), namespaces)),
            registry,
            url,
            opened: Arc::default(),
            has_ended: Arc::default(),
        }
    }

    /// Refuses to open any more stores once this is dropped, so that a run that nobody waits for
    /// comes to an end.
    pub(super) fn end_on_drop(&self) -> EndOnDrop {
        EndOnDrop(Arc::clone(&self.has_ended))
    }

    /// Declines what cannot apply to this kind of store, with the reason.
    pub(super) fn decline(&self, suite: Suite, no_read_only: Option<&str>) -> Result<Suite> {
        let suite = match self.url.scheme() {
            "memory" => suite
                .decline_level(Level::Durability, "memory does not outlive its process")
                .decline_level(Level::Faults, "memory has no server that could fail")
                .decline_case(SECRET_SCAN, "memory keeps no files that one could scan")
                .decline_case(NAMES_NAMESPACE, "memory stores have no names"),
            "sled" => suite.decline_level(
                Level::Faults,
                "sled is part of the program: it has no server that could fail",
            ),
            _ => suite,
        };
        let Some(server) = &self.server else {
            return Ok(suite);
        };
        if let Some(reason) = server.no_gate()? {
            let suite = suite.decline_level(Level::Faults, reason);
            return Ok(match server.outlives_clients() {
                true => suite,
                false => suite.decline_level(Level::Durability, reason),
            });
        }
        Ok(match no_read_only {
            Some(reason) => READ_ONLY
                .iter()
                .fold(suite, |suite, case| suite.decline_case(case, reason)),
            None => suite,
        })
    }

    /// The number of the next store.
    fn next(&self) -> Result<u64> {
        if self.has_ended.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the run was ended"));
        }
        Ok(self.opened.fetch_add(1, Ordering::Relaxed))
    }

    async fn embedded(
        &self,
        url: StoreUrl,
        number: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<Box<dyn Store>> {
        let place = |path: &Path| path.join(number.to_string());
        match url.scheme() {
            "memory" => Ok(self.memory(clock).await?.into()),
            "sqlite" => {
                let path = url.path()?;
                let home = place(path.parent().unwrap_or(&path));
                let store = FileStore::open(&self.registry, &url, home, clock).await?;
                Ok(Box::new(store))
            }
            _ => {
                let home = place(&url.path()?);
                Ok(Box::new(FolderStore::open(&url, home, clock).await?))
            }
        }
    }

    async fn memory(&self, clock: Arc<dyn Clock>) -> Result<Owned> {
        let url = &self.url;
        let driver = self.registry.open(url, Arc::clone(&clock)).await?;
        let neighbour = self.registry.open(url, clock).await?;
        Ok(Owned::new(Arc::clone(&driver))
            .with_second_handle(driver)
            .with_neighbour(neighbour))
    }
}

/// Ends the run that it was made for.
pub(super) struct EndOnDrop(Arc<AtomicBool>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Backend for Stores {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let number = self.next()?;
        match &self.server {
            Some(server) => Ok(Box::new(server.open(number, clock).await?)),
            None => self.embedded(self.url.clone(), number, clock).await,
        }
    }

    async fn open_alone(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let number = self.next()?;
        match &self.server {
            Some(server) => Ok(Box::new(server.open_alone(number, clock).await?)),
            None => {
                let url = with_short_timeout(self.url.clone())?;
                self.embedded(url, number, clock).await
            }
        }
    }
}
