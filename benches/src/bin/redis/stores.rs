//! Two stores with the same tokens on the same servers: one for the driver, one for the raw client.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use tokenkeep_benches::{RawConnection, RawRedis, Store, Tokens};
use tokenkeep_core::{Clock, Durability, ManualClock, Result, SystemClock, TokenDriver};
use tokenkeep_redis::{Address, Host, RedisOptions, Servers};
use tokenkeep_testkit::{Cluster, Server, Settings};

type Fallible<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const BATCH: usize = 1_000;
/// Into how many parts a store on a Cluster is divided.
const SHARDS: u32 = 64;

/// Two stores with the same tokens, and what must live as long.
pub(crate) struct Stores {
    pub(crate) name: String,
    pub(crate) store: Store,
    pub(crate) raw: Arc<RawRedis>,
    /// What a token takes of the servers' memory, in the driver's store and in the raw client's.
    pub(crate) bytes_per_token: [f64; 2],
    /// The servers go after the stores on them.
    _place: Box<dyn Any + Send + Sync>,
}

impl Stores {
    /// On one server.
    pub(crate) async fn standalone(durability: Durability, size: usize) -> Fallible<Self> {
        let server = Server::redis(&settings(durability))?;
        let servers = Servers::Standalone(Address::Tcp(host(&server)));
        let raw = RawConnection::one(raw_address(&server)?).await?;
        let nodes = std::slice::from_ref(&server);
        let (store, raw, bytes) = filled(nodes, servers, raw, 1, durability, size).await?;
        Self::made(
            store,
            raw,
            bytes,
            "one server",
            durability,
            Box::new(server),
        )
        .await
    }

    /// On a Cluster of so many masters without replicas.
    pub(crate) async fn cluster(
        masters: u16,
        durability: Durability,
        size: usize,
    ) -> Fallible<Self> {
        let cluster = Cluster::redis(masters, 0, &settings(durability).patient())?;
        let nodes = cluster.nodes();
        let servers = Servers::Cluster(nodes.iter().map(host).collect());
        let seeds = nodes.iter().map(raw_address).collect::<Fallible<_>>()?;
        let raw = RawConnection::cluster(seeds).await?;
        let (store, raw, bytes) = filled(nodes, servers, raw, SHARDS, durability, size).await?;
        let place = format!("a Cluster of {masters}");
        Self::made(store, raw, bytes, &place, durability, Box::new(cluster)).await
    }

    async fn made(
        store: Store,
        raw: RawRedis,
        bytes_per_token: [f64; 2],
        place: &str,
        durability: Durability,
        keeper: Box<dyn Any + Send + Sync>,
    ) -> Fallible<Self> {
        let version = store.driver.check().await?.version;
        let size = store.size;
        Ok(Self {
            name: format!("{version}, {place}, durability {durability}, {size} tokens"),
            store,
            raw: Arc::new(raw),
            bytes_per_token,
            _place: keeper,
        })
    }
}

/// With `sync` the server flushes its log before it answers; else it keeps none.
fn settings(durability: Durability) -> Settings {
    let log = match durability {
        Durability::Sync => "yes",
        Durability::Relaxed | Durability::Volatile => "no",
    };
    // A log that is written anew beside one of two turns would take it the disk.
    Settings::new()
        .with_option("appendonly", log)
        .with_option("auto-aof-rewrite-percentage", "0")
}

fn host(server: &Server) -> Host {
    Host {
        name: server.host().to_owned(),
        port: server.port(),
    }
}

fn raw_address(server: &Server) -> Fallible<ConnectionInfo> {
    let address = ConnectionAddr::Tcp(server.host().to_owned(), server.port());
    let account = RedisConnectionInfo::default()
        .set_username(server.user())
        .set_password(server.password());
    Ok(address.into_connection_info()?.set_redis_settings(account))
}

/// Gives both stores the same tokens, and tells what one of each takes.
async fn filled(
    nodes: &[Server],
    servers: Servers,
    raw: RawConnection,
    shards: u32,
    durability: Durability,
    size: usize,
) -> Fallible<(Store, RawRedis, [f64; 2])> {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let options = RedisOptions {
        user: nodes.first().map(|node| node.user().to_owned()),
        password: nodes.first().map(|node| node.password().to_owned().into()),
        namespace: "ours".to_owned(),
        durability,
        replicas: Some(0),
        ..RedisOptions::new(servers)
    };
    let raw = RawRedis::open(raw, "raw", shards, &*clock).await?;
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
    let ours = Arc::new(tokenkeep_redis::open(&options, shared).await?);
    let empty = used_memory(nodes)?;
    let store = Store::new(ours, Arc::clone(&clock), size);
    store
        .store(0..size, |number| store.tokens.token(number))
        .await?;
    let with_ours = used_memory(nodes)?;
    let tokens = Tokens::new(clock.now());
    for start in (0..size).step_by(BATCH) {
        let batch = (start..size.min(start + BATCH)).map(|number| tokens.token(number));
        let batch: Vec<_> = batch.collect::<Result<_>>()?;
        raw.fill(&batch).await?;
    }
    let with_both = used_memory(nodes)?;
    let per_token = |more: u64, less: u64| more.saturating_sub(less) as f64 / size as f64;
    let bytes = [per_token(with_ours, empty), per_token(with_both, with_ours)];
    Ok((store, raw, bytes))
}

/// What the servers have allocated, in bytes.
fn used_memory(nodes: &[Server]) -> Fallible<u64> {
    let mut total = 0;
    for node in nodes {
        let info = node.command(&["INFO", "memory"])?;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        total += line.unwrap_or("0").trim().parse::<u64>()?;
    }
    Ok(total)
}
