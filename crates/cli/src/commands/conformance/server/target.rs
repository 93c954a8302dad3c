//! Where a server is, for connections of the suite's own beside those of the stores.

use std::fs;
use std::net::IpAddr;

use tokenkeep::{ErrorKind, Result, ServerAddress, StoreUrl};

use super::{fault, is_postgres};

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    None,
    Require,
    VerifyFull,
}

/// What a URL that the backend has taken already says of its server.
pub(super) struct Target {
    pub(super) address: ServerAddress,
    /// The path of a Unix socket, in the place of the host.
    pub(super) socket: Option<String>,
    pub(super) namespace: String,
    usual_port: u16,
    pub(super) encryption: Encryption,
    /// The files `ssl-ca`, `ssl-cert` and `ssl-key`.
    pub(super) files: [Option<String>; 3],
}

impl Target {
    pub(super) fn new(url: &StoreUrl) -> Result<Self> {
        let mut address = url.server()?;
        let mut options = url.options();
        let mut option = |name: &str| options.text(name).map(|value| value.to_string());
        if let Some(file) = option("password_file") {
            let text = fs::read_to_string(&file).map_err(|error| {
                fault(ErrorKind::Config, "cannot read the password_file", error)
            })?;
            address.password = text.lines().next().map(|line| line.to_owned().into());
        }
        let by_option = option("host").or_else(|| option("socket"));
        let socket = by_option.or(address.host.clone().filter(|host| host.starts_with('/')));
        let files = ["ssl-ca", "ssl-cert", "ssl-key"].map(&mut option);
        let is_local = socket.is_some() || address.host.as_deref().is_some_and(is_this_machine);
        let encryption = match option("sslmode").as_deref() {
            Some("disable") => Encryption::None,
            Some("require") => Encryption::Require,
            None if is_local && files == [None, None, None] => Encryption::None,
            _ => Encryption::VerifyFull,
        };
        Ok(Self {
            address,
            socket,
            namespace: option("namespace").unwrap_or_default(),
            usual_port: if is_postgres(url) { 5432 } else { 3306 },
            encryption,
            files,
        })
    }

    /// Tells whether its certificate has to name a host that a proxy on this machine is not.
    pub(super) fn refuses_a_gate(&self) -> bool {
        let host = self.address.host.as_deref();
        self.encryption == Encryption::VerifyFull
            && !matches!(host, Some("localhost" | "127.0.0.1"))
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port.unwrap_or(self.usual_port)
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
    address || host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(rest: &str) -> Target {
        let url: StoreUrl = format!("postgres://ada@{rest}").parse().unwrap();
        Target::new(&url).unwrap()
    }

    #[test]
    fn encryption_is_as_the_backend_has_it() {
        for (rest, expected) in [
            ("localhost/d", Encryption::None),
            ("127.0.0.1/d", Encryption::None),
            ("[::1]/d", Encryption::None),
            ("/d?host=/run", Encryption::None),
            ("db/d", Encryption::VerifyFull),
            ("localhost/d?ssl-ca=/ca", Encryption::VerifyFull),
            ("db/d?sslmode=disable", Encryption::None),
            ("localhost/d?sslmode=require", Encryption::Require),
            ("db/d?sslmode=verify-full", Encryption::VerifyFull),
        ] {
            assert_eq!(target(rest).encryption, expected, "{rest}");
        }
    }
    #[test]
    fn a_gate_is_refused_by_a_name_that_it_does_not_have() {
        for (rest, expected) in [
            ("db/d", true),
            ("db/d?sslmode=verify-full", true),
            ("[::1]/d?sslmode=verify-full", true),
            ("db/d?sslmode=require", false),
            ("db/d?sslmode=disable", false),
            ("localhost/d?sslmode=verify-full", false),
            ("127.0.0.1/d?ssl-ca=/ca", false),
            ("localhost/d", false),
        ] {
            assert_eq!(target(rest).refuses_a_gate(), expected, "{rest}");
        }
    }
}
