//! From a URL to a namespace on a database server.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokenkeep_sql::{ServerOptions, Tls, TlsMode};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::sql::{take_common, take_span};
use crate::{Error, ErrorKind, Result, ServerAddress, StoreUrl, UrlOptions};

/// The longest password file that is read.
const MAX_PASSWORD_FILE: u64 = 64 * 1024;

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
    let tls = take_tls(&mut given)?;
    let statement_timeout = take_span(&mut given, "statement_timeout")?;
    let common = take_common(&mut given)?;
    let password = take_password(&mut given, address.password)?;
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

fn take_tls(given: &mut UrlOptions) -> Result<Tls> {
    let modes = [
        ("disable", TlsMode::Disable),
        ("require", TlsMode::Require),
        ("verify-full", TlsMode::VerifyFull),
    ];
    let mode = given.choice("sslmode", &modes)?;
    let mut path = |name: &str| given.text(name).map(|path| PathBuf::from(path.as_str()));
    let (ca, certificate, key) = (path("ssl-ca"), path("ssl-cert"), path("ssl-key"));
    if certificate.is_some() != key.is_some() {
        return Err(given.fault("has one of ssl-cert and ssl-key, which go together"));
    }
    let is_given = ca.is_some() || certificate.is_some();
    match mode {
        // Whoever names a certificate means it to be used, on this machine too.
        None if is_given => Ok(TlsMode::VerifyFull),
        None => Ok(TlsMode::Default),
        Some(TlsMode::Disable) if is_given => {
            Err(given.fault("has certificates, which sslmode=disable does not use"))
        }
        Some(TlsMode::Require) if ca.is_some() => {
            Err(given.fault("has an ssl-ca, which sslmode=require does not look at"))
        }
        Some(mode) => Ok(mode),
    }
    .map(|mode| Tls {
        mode,
        ca,
        certificate,
        key,
    })
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
    let fault = |problem: &str| given.fault(format_args!("password_file {}: {problem}", *file));
    let text = read_file(Path::new(file.as_str())).map_err(|error| fault(&error.to_string()))?;
    let line = text.split('\n').next().unwrap_or("");
    let password = line.strip_suffix('\r').unwrap_or(line);
    if password.is_empty() {
        return Err(fault("its first line is empty"));
    }
    Ok(Some(Zeroizing::new(password.to_owned())))
}

fn read_file(path: &Path) -> io::Result<Zeroizing<String>> {
    // Room for a usual one from the start, so that growing leaves no copies behind.
    let mut text = Zeroizing::new(String::with_capacity(4_096));
    let mut file = File::open(path)?.take(MAX_PASSWORD_FILE);
    file.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
