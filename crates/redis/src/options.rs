//! How a store is opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokenkeep_backend::Tls;
use tokenkeep_core::{Durability, Limits};
use zeroize::Zeroizing;

/// A namespace on Redis or Valkey.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// Where the servers are.
    pub servers: Servers,
    /// The account on every server (not on the sentinels), if it is not the default one.
    pub user: Option<String>,
    /// Its password, if it needs one.
    pub password: Option<Zeroizing<String>>,
    /// The number of the database; always 0 on a Cluster. Default: 0.
    pub database: u32,
    /// The namespace (R18): what every key begins with. 1 to 64 letters, digits, `_`, `-` and `.`.
    /// Default: `tokenkeep`.
    pub namespace: String,
    /// Whether and how connections are encrypted.
    pub tls: Tls,
    /// How many connections to each server are shared by all calls. Default: 1.
    pub connections: u32,
    /// The longest that a call takes (R16). Calls that touch many records take it for each of their
    /// steps. Default: 10 s.
    pub timeout: Duration,
    /// What an acknowledged write survives (R15): `Sync` or `Relaxed`. Default: `Sync`.
    pub durability: Durability,
    /// How many replicas have to hold a write before it is acknowledged. Default: 0 on one server; 1
    /// with Sentinel and on a Cluster, unless `durability` is `Relaxed`.
    pub replicas: Option<u32>,
    /// Into how many parts a new store on a Cluster is divided; a store keeps what it was made with.
    /// 1 to 64, and 1 elsewhere. Default: 64 on a Cluster.
    pub shards: Option<u32>,
    /// Whether a store that is not there is made. Default: yes.
    pub create: bool,
    /// The limits of a record.
    pub limits: Limits,
}

impl RedisOptions {
    /// The defaults for these servers.
    #[must_use]
    pub fn new(servers: Servers) -> Self {
        Self {
            servers,
            user: None,
            password: None,
            database: 0,
            namespace: "tokenkeep".to_owned(),
            tls: Tls::default(),
            connections: 1,
            timeout: Duration::from_secs(10),
            durability: Durability::Sync,
            replicas: None,
            shards: None,
            create: true,
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("servers", &self.servers)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("namespace", &self.namespace)
            .field("tls", &self.tls)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .field("durability", &self.durability)
            .field("replicas", &self.replicas)
            .field("shards", &self.shards)
            .field("create", &self.create)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Where the servers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// One server.
    Standalone(Address),
    /// A master that sentinels watch over and, when it fails, replace.
    Sentinel(SentinelServers),
    /// A Cluster, found through any of these nodes.
    Cluster(Vec<Host>),
}

/// One server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Host and port.
    Tcp(Host),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => host.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// The name or address; an IPv6 address without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

/// The sentinels of one master.
#[derive(Clone, PartialEq, Eq)]
pub struct SentinelServers {
    /// The sentinels, all of which are asked; what most of them say counts.
    pub sentinels: Vec<Host>,
    /// The name under which they know the master.
    pub master: String,
    /// The account on the sentinels, if it is not the default one.
    pub user: Option<String>,
    /// Its password, if it needs one.
    pub password: Option<Zeroizing<String>>,
}

impl fmt::Debug for SentinelServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentinelServers")
            .field("sentinels", &self.sentinels)
            .field("master", &self.master)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
