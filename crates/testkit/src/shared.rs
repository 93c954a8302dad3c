//! One server of each kind for all tests of a process, started when the first test asks.
//!
//! A test that freezes, kills, stops or reconfigures a server starts one of its own.

use std::sync::OnceLock;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::sentinel_set::SentinelSet;
use crate::server::Server;
use crate::settings::Settings;

/// The process's PostgreSQL server.
///
/// # Errors
///
/// As [`Server::postgres`], for every caller alike.
pub fn postgres() -> Result<&'static Server> {
    static SERVER: OnceLock<Result<Server>> = OnceLock::new();
    get(&SERVER, Server::postgres)
}

/// The process's MariaDB server.
///
/// # Errors
///
/// As [`Server::mariadb`], for every caller alike.
pub fn mariadb() -> Result<&'static Server> {
    static SERVER: OnceLock<Result<Server>> = OnceLock::new();
    get(&SERVER, Server::mariadb)
}

/// The process's Redis server.
///
/// # Errors
///
/// As [`Server::redis`], for every caller alike.
pub fn redis() -> Result<&'static Server> {
    static SERVER: OnceLock<Result<Server>> = OnceLock::new();
    get(&SERVER, Server::redis)
}

/// The process's Valkey server.
///
/// # Errors
///
/// As [`Server::valkey`], for every caller alike.
pub fn valkey() -> Result<&'static Server> {
    static SERVER: OnceLock<Result<Server>> = OnceLock::new();
    get(&SERVER, Server::valkey)
}

/// The process's Redis servers with sentinels, [patient](Settings::patient).
///
/// # Errors
///
/// As [`SentinelSet::redis`], for every caller alike.
pub fn sentinel() -> Result<&'static SentinelSet> {
    static SET: OnceLock<Result<SentinelSet>> = OnceLock::new();
    get(&SET, |settings| {
        SentinelSet::redis(&settings.clone().patient())
    })
}

/// The process's Redis Cluster of three masters with a replica each, [patient](Settings::patient).
///
/// # Errors
///
/// As [`Cluster::redis`], for every caller alike.
pub fn cluster() -> Result<&'static Cluster> {
    static CLUSTER: OnceLock<Result<Cluster>> = OnceLock::new();
    get(&CLUSTER, |settings| {
        Cluster::redis(3, 1, &settings.clone().patient())
    })
}

fn get<T>(
    server: &'static OnceLock<Result<T>>,
    start: fn(&Settings) -> Result<T>,
) -> Result<&'static T> {
    let server = server.get_or_init(|| start(&Settings::new()));
    server.as_ref().map_err(Clone::clone)
}
