//! One server of each kind for all tests of a process, started when the first test asks.
//!
//! A test that freezes, kills, stops or reconfigures a server starts one of its own.

use std::sync::OnceLock;

use crate::error::Result;
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

fn get(
    server: &'static OnceLock<Result<Server>>,
    start: fn(&Settings) -> Result<Server>,
) -> Result<&'static Server> {
    let server = server.get_or_init(|| start(&Settings::new()));
    server.as_ref().map_err(Clone::clone)
}
