//! The stores that the cases run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokenkeep::{Clock, Registry, Result, StoreUrl};
use tokenkeep_conformance::{Backend, Level, Owned, Store, Suite};

use super::folder::FolderStore;
use crate::scratch::Scratch;

/// Opens a new store for each case, in the place made for the run.
#[derive(Clone)]
pub(super) struct Stores {
    registry: Registry,
    scratch: Arc<Scratch>,
    opened: Arc<AtomicU64>,
}

impl Stores {
    pub(super) fn new(registry: Registry, scratch: Arc<Scratch>) -> Self {
        Self {
            registry,
            scratch,
            opened: Arc::default(),
        }
    }

    /// Declines what cannot apply to this kind of store, with the reason.
    pub(super) fn decline(&self, suite: Suite) -> Suite {
        match self.scratch.url().scheme() {
            "memory" => suite
                .decline_level(Level::Durability, "memory does not outlive its process")
                .decline_level(
                    Level::Faults,
                    "memory has no server that could stop answering",
                ),
            "sled" => suite.decline_level(
                Level::Faults,
                "sled is part of the program: it has no server that could stop answering",
            ),
            _ => {
                let reason = "the program cannot end the server or hold it up";
                suite
                    .decline_level(Level::Durability, reason)
                    .decline_level(Level::Faults, reason)
            }
        }
    }

    async fn memory(&self, clock: Arc<dyn Clock>) -> Result<Owned> {
        let url = self.scratch.url();
        let driver = self.registry.open(url, Arc::clone(&clock)).await?;
        let neighbour = self.registry.open(url, clock).await?;
        let shown = Arc::clone(&driver);
        Ok(Owned::new(Arc::clone(&driver))
            .with_second_handle(driver)
            .with_neighbour(neighbour)
            // All that it holds is in its Debug form.
            .with_contents(move || Ok(format!("{shown:?}").into_bytes())))
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
        let url = self.scratch.url().clone();
        let name = url.options().text("namespace");
        let name = format!("{}_{number}", name.as_deref().map_or("", String::as_str));
        url.with_option("namespace", &name)
    }
}

#[async_trait]
impl Backend for Stores {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        match self.scratch.url().scheme() {
            "memory" => Ok(self.memory(clock).await?.into()),
            "sled" => {
                let url = self.scratch.url();
                let folder = url.path()?.join(number.to_string());
                let store = FolderStore::open(url, folder, clock).await?;
                Ok(Box::new(store))
            }
            _ => Ok(self.namespace(number, clock).await?.into()),
        }
    }
}
