//! From a URL to a namespace on a database server.

use tokenkeep_backend::TlsMode;
use tokenkeep_sql::ServerOptions;

use super::server::{self, tls};
use super::sql::take_common;
use super::take_span;
use crate::{Result, ServerAddress, StoreUrl, UrlOptions};

/// What differs between the servers.
pub(super) struct Kind {
    /// The usual port.
    pub(super) port: u16,
    /// The option that names a Unix socket.
    pub(super) socket: &'static str,
    /// The namespace of a URL that names none; without one it is the database.
    pub(super) namespace: Option<&'static str>,
}

/// Reads the URL, and the password file if it names one.
pub(super) async fn read(url: &StoreUrl, kind: &'static Kind) -> Result<ServerOptions> {
    server::read(url, move |url| read_now(url, kind)).await
}

/// Waits for the file system.
fn read_now(url: &StoreUrl, kind: &Kind) -> Result<ServerOptions> {
    server::refuse_slips(url)?;
    let mut address = url.server()?;
    let mut given = url.options();
    let namespace = given.text("namespace").map(|name| name.to_string());
    let host = take_host(&mut given, &mut address, kind)?;
    let tls = tls::take(&mut given, &[&host], TlsMode::Default)?;
    let statement_timeout = take_span(&mut given, "statement_timeout")?;
    let common = take_common(&mut given)?;
    if statement_timeout.is_some_and(|span| span > common.timeout) {
        return Err(url.fault(format_args!(
            "has a statement_timeout above the timeout of a call, {}",
            humantime::format_duration(common.timeout)
        )));
    }
    let password = server::take_password(&mut given, "password_file", address.password)?;
    let fault = |problem: &str| url.fault(problem);
    let user = address
        .user
        .ok_or_else(|| fault("names no user before its host: user@host"))?;
    let usual = kind.namespace.map(str::to_owned);
    let namespace = namespace.or(usual).or_else(|| address.database.clone());
    // Where the database is the namespace, either stands for the other.
    let no_database = || fault("names no database behind its host: host/database");
    let database = match kind.namespace {
        Some(_) => address.database,
        None => address.database.or_else(|| namespace.clone()),
    };
    let options = ServerOptions {
        host,
        port: address.port.unwrap_or(kind.port),
        user,
        password,
        database: database.ok_or_else(no_database)?,
        namespace: namespace.ok_or_else(no_database)?,
        tls,
        statement_timeout,
        common,
    };
    given.finish()?;
    Ok(options)
}

/// The host, or the path of a Unix socket.
fn take_host(given: &mut UrlOptions, address: &mut ServerAddress, kind: &Kind) -> Result<String> {
    let option = kind.socket;
    let socket = given.text(option);
    match (socket, address.host.take()) {
        (Some(_), Some(_)) => Err(given.fault(format_args!(
            "names a host and, by the option `{option}`, a Unix socket"
        ))),
        (Some(socket), None) if !socket.starts_with('/') => Err(given.fault(format_args!(
            "has an option `{option}` that is no absolute path; a host stands before the database: \
             //user@host/database"
        ))),
        (Some(socket), None) => Ok(socket.to_string()),
        (None, Some(host)) => Ok(host),
        (None, None) => Err(given.fault(format_args!(
            "names neither a host nor, by the option `{option}`, a Unix socket"
        ))),
    }
}

#[cfg(test)]
mod tests;
