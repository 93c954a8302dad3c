//! What is asked of a server's encryption, whichever server it is.

use std::fs::File;
use std::net::IpAddr;

use tokenkeep_core::{Error, ErrorKind, Result};

use crate::options::{ServerOptions, Tls, TlsMode};

/// Refuses options that cannot work, before the first connection.
pub(crate) fn check(options: &ServerOptions) -> Result<()> {
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

/// Tells whether a host is the folder or the path of a Unix socket.
pub(crate) fn is_socket(host: &str) -> bool {
    host.starts_with('/')
}

/// Tells whether a host is this machine, where no encryption is asked for unless the options do.
pub(crate) fn is_this_machine(host: &str) -> bool {
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
