//! Whether and how a connection is encrypted.

use std::fs::File;
use std::net::IpAddr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokenkeep_core::{Error, ErrorKind, Result};

use crate::options::{ServerOptions, Tls, TlsMode};

/// Refuses options that cannot work, before the first connection.
pub(super) fn check(options: &ServerOptions) -> Result<()> {
    let Tls {
        mode,
        ca,
        certificate,
        key,
    } = &options.tls;
    let is_asked = !matches!(mode, TlsMode::Default | TlsMode::Disable);
    if is_asked && is_socket(&options.host) {
        return Err(unusable("tls", "is not to be had over a Unix socket"));
    }
    if certificate.is_some() != key.is_some() {
        return Err(unusable(
            "tls",
            "takes a client's certificate and its key together",
        ));
    }
    for (name, file) in [("ca", ca), ("certificate", certificate), ("key", key)] {
        if let Some(file) = file
            && let Err(error) = File::open(file)
        {
            let problem = format!("{} cannot be read: {error}", file.display());
            return Err(unusable(&format!("tls {name}"), &problem));
        }
    }
    Ok(())
}

/// Sets everything that the environment could have set.
pub(super) fn apply(connect: PgConnectOptions, options: &ServerOptions) -> PgConnectOptions {
    let tls = &options.tls;
    let connect = connect.ssl_mode(mode(options));
    let connect = match &tls.ca {
        Some(ca) => connect.ssl_root_cert(ca),
        None => connect.ssl_root_cert_from_pem(Vec::new()),
    };
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => connect.ssl_client_cert(certificate).ssl_client_key(key),
        _ => connect,
    }
}

/// Whether connections are encrypted at all.
pub(super) fn is_encrypted(options: &ServerOptions) -> bool {
    !matches!(mode(options), PgSslMode::Disable)
}

fn mode(options: &ServerOptions) -> PgSslMode {
    match options.tls.mode {
        TlsMode::Default if is_this_machine(&options.host) => PgSslMode::Disable,
        TlsMode::Default | TlsMode::VerifyFull => PgSslMode::VerifyFull,
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Require => PgSslMode::Require,
    }
}

fn is_socket(host: &str) -> bool {
    host.starts_with('/')
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    is_socket(host)
        || host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn unusable(field: &str, problem: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{field} {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_trusted_without_encryption() {
        for host in [
            "/run/postgresql",
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "db",
            "10.0.0.1",
            "127.0.0.1.example.org",
            "localhost.example.org",
            "::2",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
