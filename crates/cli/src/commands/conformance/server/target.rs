//! Where a server is, for connections of the suite's own beside those of the stores.

use std::fs;

use tokenkeep::{ErrorKind, Result, ServerList, StoreUrl};
use tokenkeep_backend::{is_socket, is_this_machine};

use super::fault;

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    None,
    Require,
    VerifyFull,
}

/// What a URL that the backend has taken already says of its servers.
pub(super) struct Target {
    scheme: String,
    pub(super) servers: ServerList,
    /// The path of a Unix socket, in the place of the host.
    pub(super) socket: Option<String>,
    pub(super) namespace: String,
    pub(super) encryption: Encryption,
    /// The files `ssl-ca`, `ssl-cert` and `ssl-key`.
    pub(super) files: [Option<String>; 3],
    /// The account on the sentinels.
    pub(super) sentinel: [Option<String>; 2],
    pub(super) database: String,
}

impl Target {
    pub(super) fn new(url: &StoreUrl) -> Result<Self> {
        let mut servers = url.servers()?;
        let mut options = url.options();
        let mut option = |name: &str| options.text(name).map(|value| value.to_string());
        if let Some(file) = option("password_file") {
            servers.password = Some(password(&file)?.into());
        }
        let by_option = option("host").or_else(|| option("socket"));
        let in_place = servers.hosts.first().map(|(host, _)| host);
        let in_place = in_place.filter(|host| is_socket(host)).cloned();
        let is_path = url.scheme() == "redis+unix";
        let by_path = is_path.then(|| format!("/{}", servers.path.join("/")));
        let socket = by_option.or(in_place).or(by_path);
        let files = ["ssl-ca", "ssl-cert", "ssl-key"].map(&mut option);
        let all_are_here = servers.hosts.iter().all(|(host, _)| is_this_machine(host));
        let encryption = match (option("sslmode").as_deref(), url.scheme()) {
            (Some("disable"), _) => Encryption::None,
            (Some("require"), _) => Encryption::Require,
            (None, _) if files != [None, None, None] => Encryption::VerifyFull,
            (None, "redis" | "valkey") => Encryption::None,
            (None, "rediss" | "valkeys") => Encryption::VerifyFull,
            (None, _) if all_are_here => Encryption::None,
            _ => Encryption::VerifyFull,
        };
        let from_file = option("sentinel_password_file").map(|file| password(&file));
        let sentinel_password = from_file
            .transpose()?
            .or_else(|| option("sentinel_password"));
        Ok(Self {
            scheme: url.scheme().to_owned(),
            servers,
            socket,
            namespace: option("namespace").unwrap_or_default(),
            encryption,
            files,
            sentinel: [option("sentinel_user"), sentinel_password],
            database: option("database").unwrap_or_default(),
        })
    }

    /// Tells whether its certificate has to name a host that a proxy on this machine is not.
    pub(super) fn refuses_a_gate(&self) -> bool {
        let (host, _) = self.host();
        self.encryption == Encryption::VerifyFull && !matches!(host, "localhost" | "127.0.0.1")
    }

    /// The only host, or none, and the port.
    pub(super) fn host(&self) -> (&str, u16) {
        let usual = self.usual_port();
        match self.servers.hosts.first() {
            Some((host, port)) => (host, port.unwrap_or(usual)),
            None => ("", usual),
        }
    }

    pub(super) fn usual_port(&self) -> u16 {
        match self.scheme.as_str() {
            "postgres" | "postgresql" => 5_432,
            "mysql" | "mariadb" => 3_306,
            "redis+sentinel" => 26_379,
            _ => 6_379,
        }
    }

    pub(super) fn user(&self) -> &str {
        self.servers.user.as_deref().unwrap_or_default()
    }

    pub(super) fn password(&self) -> &str {
        let password = self.servers.password.as_ref();
        password.map_or("", |password| password.as_str())
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }
}

/// The first line of a file.
fn password(file: &str) -> Result<String> {
    let text = fs::read_to_string(file).map_err(|error| {
        fault(
            ErrorKind::Config,
            "cannot read a file with a password",
            error,
        )
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(rest: &str) -> Target {
        of(&format!("postgres://ada@{rest}"))
    }

    fn of(url: &str) -> Target {
        Target::new(&url.parse().unwrap()).unwrap()
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
        for (url, expected) in [
            ("redis://db", Encryption::None),
            ("valkey://db?sslmode=require", Encryption::Require),
            ("redis://db?ssl-ca=/ca", Encryption::VerifyFull),
            ("rediss://localhost", Encryption::VerifyFull),
            ("redis+unix:///run/r", Encryption::None),
            ("redis+cluster://localhost,127.0.0.1:1", Encryption::None),
            ("redis+cluster://localhost,db", Encryption::VerifyFull),
            ("redis+sentinel://db/m?sslmode=disable", Encryption::None),
        ] {
            assert_eq!(of(url).encryption, expected, "{url}");
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
