//! What is asked of a server's encryption, whichever server it is.

use std::fs::File;
use std::net::IpAddr;
use std::path::PathBuf;

use tokenkeep_core::{Error, ErrorKind, Result};

/// Whether and how a connection to a server is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// How much is asked of the server.
    pub mode: TlsMode,
    /// A file of PEM certificates of authorities to trust beside the system's, not instead of them.
    /// Where the environment's `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, it stands for the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with the client's own certificate; its key goes with it.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the client's own key.
    pub key: Option<PathBuf>,
}

/// How much is asked of a server's encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Full verification, but no encryption where the server is this machine: a Unix socket or a
    /// loopback address. The default.
    #[default]
    Default,
    /// None.
    Disable,
    /// Encrypted; the server's certificate is not verified.
    Require,
    /// Encrypted, and the server's certificate comes from a trusted authority and names the host.
    /// There is no verification without the name: the system's authorities are trusted too, so the
    /// owner of any public certificate would pass.
    VerifyFull,
}

impl Tls {
    /// Refuses options that cannot work, before the first connection to this host. Reads the file
    /// system.
    ///
    /// # Errors
    ///
    /// `Config` where encryption is asked for on a Unix socket, a certificate stands without its key, or a
    /// named file cannot be read.
    pub fn check(&self, host: &str) -> Result<()> {
        let Self {
            mode,
            ca,
            certificate,
            key,
        } = self;
        let is_asked = !matches!(mode, TlsMode::Default | TlsMode::Disable);
        if is_asked && is_socket(host) {
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
}

/// Tells whether a host is the folder or the path of a Unix socket.
#[must_use]
pub fn is_socket(host: &str) -> bool {
    host.starts_with('/')
}

/// Tells whether a host is this machine, where no encryption is asked for unless the options do.
#[must_use]
pub fn is_this_machine(host: &str) -> bool {
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
