//! A server: each case has namespaces of its own there.

mod client;
mod engine;
mod killable;
mod mysql;
mod postgres;
mod redis;
mod store;
mod target;

use std::path::PathBuf;
use std::sync::Arc;

use tokenkeep::{Clock, Error, ErrorKind, Registry, Result, StoreUrl};
use tokenkeep_conformance::gate::{Behind, Gate};
use tokio::runtime::Handle;

use self::engine::Engine;
use self::store::ServerStore;
use self::target::Target;
use super::with_short_timeout;
use crate::scratch::Namespaces;

/// Makes stores on a server, and removes them as the cases that own them end.
#[derive(Clone)]
pub(super) struct Server {
    registry: Registry,
    /// Its namespace begins the names of all others.
    url: StoreUrl,
    namespaces: Namespaces,
    /// The program's own, which outlives those of the cases.
    runtime: Handle,
}

impl Server {
    pub(super) fn new(registry: Registry, url: StoreUrl, namespaces: Namespaces) -> Self {
        Self {
            registry,
            url,
            namespaces,
            runtime: Handle::current(),
        }
    }

    /// Opens a new namespace.
    pub(super) async fn open(&self, number: u64, clock: Arc<dyn Clock>) -> Result<ServerStore> {
        let url = self.namespace(&number.to_string())?;
        ServerStore::open(self.clone(), url, clock).await
    }

    /// Opens a new namespace behind a gate of its own, or else for a client of its own.
    pub(super) async fn open_alone(
        &self,
        number: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<ServerStore> {
        let url = with_short_timeout(self.namespace(&number.to_string())?)?;
        match self.no_gate()? {
            None => ServerStore::open_behind_gate(self.clone(), url, clock).await,
            Some(_) => ServerStore::open_for_client(self.clone(), url, clock).await,
        }
    }

    /// Whether what has reached the server from a client that is killed is done before what another one
    /// asks for: Redis does one thing after the other, where others have a process or a thread for each.
    pub(super) fn outlives_clients(&self) -> bool {
        Engine::of(&self.url) == Engine::Redis
    }

    /// Why a store cannot be reached through a gate, if it cannot.
    pub(super) fn no_gate(&self) -> Result<Option<&'static str>> {
        let target = Target::new(&self.url)?;
        Ok(match self.url.scheme() {
            "redis+cluster" | "redis+sentinel" => Some(
                "the suite holds up a server by a proxy, and is led past it: sentinels and the nodes of \
                 a Cluster name the servers by their own addresses",
            ),
            "redis+unix" => Some(
                "the suite holds up the server by a proxy at a port, which this URL cannot name; a \
                 redis: URL can",
            ),
            _ if target.refuses_a_gate() => Some(
                "the suite holds up the server by a proxy on this machine, which \
                 sslmode=verify-full lets through only if the URL names localhost or 127.0.0.1; \
                 sslmode=require does too, and verifies nothing",
            ),
            _ => None,
        })
    }

    /// Why the store of the place cannot be made to take no writes, if it cannot.
    pub(super) async fn no_read_only(url: &StoreUrl) -> Option<String> {
        let engine = Engine::of(url);
        if engine == Engine::Redis {
            let reason = "a Redis server refuses the writes of everyone or of no one: the suite would \
                          hold up those of others";
            return Some(reason.to_owned());
        }
        let tried = async {
            let target = Target::new(url)?;
            engine.refuse_writes(&target, true).await?;
            engine.refuse_writes(&target, false).await
        };
        let error = tried.await.err()?;
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let cause = cause.unwrap_or_else(|| error.to_string());
        Some(format!(
            "the account may not make the triggers by which the suite has tables refuse writes: {cause}"
        ))
    }

    /// A gate to the server, and the URL by which a store is reached through it.
    fn gate(url: &StoreUrl) -> Result<(Gate, StoreUrl)> {
        let target = Target::new(url)?;
        let (host, port) = target.host();
        let behind = match &target.socket {
            Some(socket) if Engine::of(url) == Engine::Postgres => {
                Behind::Unix(PathBuf::from(format!("{socket}/.s.PGSQL.{port}")))
            }
            Some(socket) => Behind::Unix(PathBuf::from(socket)),
            None => Behind::Tcp {
                host: host.to_owned(),
                port,
            },
        };
        let gate = Gate::open(behind)?;
        // Under its own name where it has that of this machine, so that its certificate holds.
        let name = if host == "localhost" {
            host
        } else {
            "127.0.0.1"
        };
        let url = url.clone().without_option("host").without_option("socket");
        let url = url.with_server(name, gate.address().port())?;
        Ok((gate, url))
    }

    fn namespace(&self, number: &str) -> Result<StoreUrl> {
        let url = self.url.clone();
        let name = url.options().text("namespace");
        let name = format!("{}_{number}", name.as_deref().map_or("", String::as_str));
        url.with_option("namespace", &name)
    }
}

fn cut_short<T>() -> Result<T> {
    let problem = "opening the store was cut short";
    Err(Error::new(ErrorKind::Internal, problem))
}

/// Why a connection of the suite's own cannot be used.
fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let problem = "the suite's own connection to the server failed";
    fault(ErrorKind::Unavailable, problem, error)
}

fn fault(
    kind: ErrorKind,
    problem: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(kind, problem).with_source(error)
}
