//! The stores that the cases run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use tokenkeep::{Clock, Error, ErrorKind, Registry, Result, StoreUrl};
use tokenkeep_conformance::{Backend, Level, Owned, Store, Suite};

use super::folder::FolderStore;

/// Cases that are declined by name.
const SECRET_SCAN: &str = "what_is_stored_holds_no_secret";
const NAMES_NAMESPACE: &str = "a_neighbour_names_another_namespace";

/// Opens a new store for each case, in the place made for the run.
#[derive(Clone)]
pub(super) struct Stores {
    registry: Registry,
    url: StoreUrl,
    opened: Arc<AtomicU64>,
    has_ended: Arc<AtomicBool>,
}

impl Stores {
    pub(super) fn new(registry: Registry, url: StoreUrl) -> Self {
        Self {
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
    pub(super) fn decline(&self, suite: Suite) -> Suite {
        match self.url.scheme() {
            "memory" => suite
                .decline_level(Level::Durability, "memory does not outlive its process")
                .decline_level(Level::Faults, "memory has no server that could fail")
                .decline_case(SECRET_SCAN, "memory keeps no files that one could scan")
                .decline_case(NAMES_NAMESPACE, "memory stores have no names"),
            "sled" => suite.decline_level(
                Level::Faults,
                "sled is part of the program: it has no server that could fail",
            ),
            _ => suite
                .decline_level(Level::Durability, "this program cannot end the server")
                .decline_level(Level::Faults, "this program cannot hold up the server")
                .decline_case(SECRET_SCAN, "this program cannot read the server's files"),
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

    async fn namespace(&self, number: u64, clock: Arc<dyn Clock>) -> Result<Owned> {
        let url = self.numbered(&format!("{number}"))?;
        let driver = self.registry.open(&url, Arc::clone(&clock)).await?;
        let second = self.registry.open(&url, Arc::clone(&clock)).await?;
        let neighbour = self.numbered(&format!("{number}n"))?;
        let neighbour = self.registry.open(&neighbour, clock).await?;
        Ok(Owned::new(driver)
            .with_second_handle(second)
            .with_neighbour(neighbour))
    }

    fn numbered(&self, number: &str) -> Result<StoreUrl> {
        let url = self.url.clone();
        let name = url.options().text("namespace");
        let name = format!("{}_{number}", name.as_deref().map_or("", String::as_str));
        url.with_option("namespace", &name)
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
        if self.has_ended.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the run was ended"));
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        match self.url.scheme() {
            "memory" => Ok(self.memory(clock).await?.into()),
            "sled" => {
                let url = &self.url;
                let folder = url.path()?.join(number.to_string());
                let store = FolderStore::open(url, folder, clock).await?;
                Ok(Box::new(store))
            }
            _ => Ok(self.namespace(number, clock).await?.into()),
        }
    }
}
