//! From a URL to a namespace on a database server.

mod files;
mod tls;

use std::path::Path;

use tokenkeep_sql::ServerOptions;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::sql::{take_common, take_span};
use crate::{Error, ErrorKind, Result, ServerAddress, StoreUrl, UrlOptions};

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
    let url = url.clone();
    spawn_blocking(move || read_now(&url, kind))
        .await
        .unwrap_or_else(|error| {
            let problem = "reading the store URL was cut short";
            Err(Error::new(ErrorKind::Internal, problem).with_source(error))
        })
}

/// Waits for the file system.
fn read_now(url: &StoreUrl, kind: &Kind) -> Result<ServerOptions> {
    if url.options().text("password").is_some() {
        return Err(url.fault(
            "has an option `password`: a password stands before the host, or in the file that \
             `password_file` names",
        ));
    }
    let tls_mode = url.options().text("sslmode");
    if tls_mode.is_some_and(|mode| *mode == "verify-ca") {
        return Err(url.fault(
            "has sslmode=verify-ca: the system's authorities are trusted too, so without the host's \
             name any public certificate would do; use verify-full, with an address that the \
             certificate names",
        ));
    }
    let mut address = url.server()?;
    let mut given = url.options();
    let namespace = given.text("namespace").map(|name| name.to_string());
    let host = take_host(&mut given, &mut address, kind)?;
    let tls = tls::take(&mut given, &host)?;
    let statement_timeout = take_span(&mut given, "statement_timeout")?;
    let common = take_common(&mut given)?;
    if statement_timeout.is_some_and(|span| span > common.timeout) {
        return Err(url.fault(format_args!(
            "has a statement_timeout above the timeout of a call, {}",
            humantime::format_duration(common.timeout)
        )));
    }
    let password = take_password(&mut given, address.password)?;
    if let Some(password) = &password {
        check_password(&given, password)?;
    }
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

/// The password of the URL, or the first line of the file that it names.
fn take_password(
    given: &mut UrlOptions,
    in_url: Option<Zeroizing<String>>,
) -> Result<Option<Zeroizing<String>>> {
    let Some(file) = given.text("password_file") else {
        return Ok(in_url);
    };
    if in_url.is_some() {
        return Err(given.fault("has a password and a password_file"));
    }
    let password = files::password(Path::new(file.as_str()));
    let fault = |problem| given.fault(format_args!("password_file {}: {problem}", *file));
    password.map(Some).map_err(fault)
}

/// Servers refuse such a password as a wrong one, or not at all: it is a slip of the pen.
fn check_password(given: &UrlOptions, password: &str) -> Result<()> {
    if password.chars().any(char::is_control) {
        return Err(given.fault("has a password with a control character, such as a tab, in it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
