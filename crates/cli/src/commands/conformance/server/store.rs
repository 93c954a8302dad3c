//! One namespace of a server: all that the suite may do to it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep::{Clock, Error, ErrorKind, MemoryDriver, Result, StoreUrl, TokenDriver};
use tokenkeep_conformance::Store;
use tokenkeep_conformance::gate::Gate;

use super::Server;
use super::client::Client;
use super::engine::Engine;
use super::target::Target;
use crate::commands::conformance::call_timeout;

/// One namespace, and perhaps another beside it; dropping it removes them.
pub(in crate::commands::conformance) struct ServerStore {
    driver: Arc<dyn TokenDriver>,
    server: Server,
    /// Leads straight to the server.
    direct: StoreUrl,
    /// Leads through the gate, if there is one.
    url: StoreUrl,
    neighbour: StoreUrl,
    clock: Arc<dyn Clock>,
    /// The last one is in use. The others are closed and keep their ports, so that no handle of a
    /// store that was killed comes in by another gate.
    gates: Vec<Gate>,
    /// Where its drivers live, if they are to be killed without a gate.
    client: Option<Client>,
}

impl ServerStore {
    pub(super) async fn open(server: Server, url: StoreUrl, clock: Arc<dyn Clock>) -> Result<Self> {
        let mut store = Self::closed(server, url, clock)?;
        store.driver = store.open_again().await?;
        Ok(store)
    }

    pub(super) async fn open_behind_gate(
        server: Server,
        url: StoreUrl,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let mut store = Self::closed(server, url, clock)?;
        store.make_gate()?;
        store.driver = store.open_again().await?;
        Ok(store)
    }

    pub(super) async fn open_for_client(
        server: Server,
        url: StoreUrl,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let mut store = Self::closed(server, url, clock)?;
        store.client = Some(Client::start()?);
        store.driver = store.open_again().await?;
        Ok(store)
    }

    fn closed(server: Server, url: StoreUrl, clock: Arc<dyn Clock>) -> Result<Self> {
        let name = url.options().text("namespace");
        let name = format!("{}n", name.as_deref().map_or("", String::as_str));
        server.namespaces.expect(&url);
        Ok(Self {
            driver: Arc::new(MemoryDriver::new(Arc::clone(&clock))),
            server,
            neighbour: url.clone().with_option("namespace", &name)?,
            direct: url.clone(),
            url,
            clock,
            gates: Vec::new(),
            client: None,
        })
    }

    async fn open_again(&self) -> Result<Arc<dyn TokenDriver>> {
        let (registry, clock) = (&self.server.registry, Arc::clone(&self.clock));
        match &self.client {
            Some(client) => client.open(registry, &self.url, clock).await,
            None => registry.open(&self.url, clock).await,
        }
    }

    fn make_gate(&mut self) -> Result<()> {
        let (gate, url) = Server::gate(&self.direct)?;
        self.gates.push(gate);
        self.url = url;
        Ok(())
    }

    fn gate(&self) -> Result<&Gate> {
        let no_gate = || Error::new(ErrorKind::Internal, "the store is not behind a gate");
        self.gates.last().ok_or_else(no_gate)
    }
}

#[async_trait]
impl Store for ServerStore {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.open_again().await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        self.server.namespaces.expect(&self.neighbour);
        let clock = Arc::clone(&self.clock);
        self.server.registry.open(&self.neighbour, clock).await
    }

    async fn contents(&self) -> Result<Vec<u8>> {
        let target = Target::new(&self.direct)?;
        Engine::of(&self.direct).contents(&target).await
    }

    async fn reopen(&mut self) -> Result<()> {
        // Dropping the last handle closes its connections; this one stands in its place meanwhile.
        self.driver = Arc::new(MemoryDriver::new(Arc::clone(&self.clock)));
        self.driver = self.open_again().await?;
        Ok(())
    }

    /// What a server sees when its client is killed: connections that end in the middle of what they
    /// carry. What had reached it by then is done before the store is opened again.
    async fn kill(&mut self) -> Result<()> {
        if let Some(client) = self.client.take() {
            client.kill().await;
            self.client = Some(Client::start()?);
        } else {
            self.gate()?.stop().await?;
            self.gate()?.ended().await?;
            self.make_gate()?;
        }
        self.driver = self.open_again().await?;
        Ok(())
    }

    async fn freeze(&self) -> Result<()> {
        self.gate()?.freeze();
        Ok(())
    }

    async fn thaw(&self) -> Result<()> {
        self.gate()?.thaw();
        Ok(())
    }

    async fn stop(&self) -> Result<()> {
        self.gate()?.stop().await
    }

    async fn start(&self) -> Result<()> {
        self.gate()?.start()
    }

    async fn read_only(&self, on: bool) -> Result<()> {
        let target = Target::new(&self.direct)?;
        let engine = Engine::of(&self.direct);
        engine.refuse_writes(&target, on).await
    }

    fn call_timeout(&self) -> Duration {
        call_timeout(&self.url)
    }
}

impl Drop for ServerStore {
    fn drop(&mut self) {
        let namespaces = self.server.namespaces.clone();
        let urls = [self.direct.clone(), self.neighbour.clone()];
        // What fails here is tried again at the end of the run.
        self.server.runtime.spawn(async move {
            for url in urls {
                let _ = namespaces.remove(&url).await;
            }
        });
    }
}
