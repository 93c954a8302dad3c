//! The server that a URL names.

use std::fmt;
use std::net::Ipv6Addr;

use zeroize::Zeroizing;

use super::{StoreUrl, decode};
use crate::Result;

/// A server, an account on it and a database: `//user:password@host:port/database`, with
/// percent-encoding undone. What does not stand there is `None`.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerAddress {
    /// A name or an address, an IPv6 one without its brackets; or a path, which begins with `/`.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The account.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Zeroizing<String>>,
    /// The database.
    pub database: Option<String>,
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAddress")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// What stands between the scheme and the `?`, still percent-encoded.
pub(super) struct Parts<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) place: &'a str,
    pub(super) path: Option<&'a str>,
}

/// A host or none, and a port or none.
type Place = (Option<String>, Option<u16>);

impl StoreUrl {
    /// The server that the URL names.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokenkeep::StoreUrl;
    ///
    /// let url: StoreUrl = "postgres://ada:p%40ss@[::1]:5433/tokens".parse()?;
    /// let server = url.server()?;
    /// assert_eq!((server.host.as_deref(), server.port), (Some("::1"), Some(5433)));
    /// assert_eq!(server.password.as_deref().map(String::as_str), Some("p@ss"));
    /// # Ok::<(), tokenkeep::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Config` if it is of another form, or names several hosts.
    pub fn server(&self) -> Result<ServerAddress> {
        let parts = self.parts()?;
        let (host, port) = place(parts.place).map_err(|problem| self.fault(problem))?;
        let (user, password) = self.account(parts.account)?;
        if parts.path.is_some_and(|name| name.contains('/')) {
            return Err(self.fault("names more than a database behind its host"));
        }
        Ok(ServerAddress {
            host,
            port,
            user,
            password,
            database: given(parts.path)?.map(|name| name.to_string()),
        })
    }

    /// The same URL, with its account and database, for another server.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokenkeep::StoreUrl;
    ///
    /// let url: StoreUrl = "mysql://ada:s3cret@db/tokens?timeout=1s".parse()?;
    /// let url = url.with_server("127.0.0.1", 5001)?;
    /// assert_eq!(url.to_string(), "mysql://ada:***@127.0.0.1:5001/tokens?timeout=1s");
    /// # Ok::<(), tokenkeep::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Config` if the URL is not of a server's form, or the host cannot stand in one.
    pub fn with_server(mut self, host: &str, port: u16) -> Result<Self> {
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => host.to_owned(),
        };
        let at = format!("{host}:{port}");
        place(&at).map_err(|problem| self.fault(problem))?;
        let parts = self.parts()?;
        let account = parts
            .account
            .map_or(String::new(), |name| format!("{name}@"));
        let path = parts.path.map_or(String::new(), |name| format!("/{name}"));
        let rest = Zeroizing::new(format!("//{account}{at}{path}"));
        self.rest = rest;
        Ok(self)
    }

    pub(super) fn parts(&self) -> Result<Parts<'_>> {
        let rest = self.rest.strip_prefix("//").ok_or_else(|| {
            self.fault("names no server; it looks like //user@host:port/database")
        })?;
        // At the last `@`, as where the password is masked.
        let (account, rest) = match rest.rsplit_once('@') {
            Some((account, rest)) => (Some(account), rest),
            None => (None, rest),
        };
        let (place, path) = match rest.split_once('/') {
            Some((place, path)) => (place, Some(path)),
            None => (rest, None),
        };
        Ok(Parts {
            account,
            place,
            path,
        })
    }

    /// The user and the password, of what stands before the `@`.
    pub(super) fn account(
        &self,
        account: Option<&str>,
    ) -> Result<(Option<String>, Option<Zeroizing<String>>)> {
        let (user, password) = match account.map(|account| account.split_once(':')) {
            Some(Some((user, password))) => (Some(user), Some(password)),
            Some(None) => (account, None),
            None => (None, None),
        };
        if user.is_some_and(|user| user.contains('/')) {
            return Err(self.fault("has an `@` behind its host, which has to be written %40"));
        }
        Ok((given(user)?.map(|user| user.to_string()), given(password)?))
    }
}

/// A host and its port, or what is wrong with them.
pub(super) fn place(text: &str) -> Result<Place, &'static str> {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, "")) => (ipv6(host)?, None),
        Some((host, behind)) => (ipv6(host)?, Some(behind.strip_prefix(':').unwrap_or(""))),
        None => match text.split_once(':') {
            Some((host, port)) => (host_name(host)?, Some(port)),
            None => (host_name(text)?, None),
        },
    };
    Ok((host, port.map(port_number).transpose()?))
}

fn ipv6(text: &str) -> Result<Option<String>, &'static str> {
    let address = text.parse::<Ipv6Addr>();
    address
        .map(|address| Some(address.to_string()))
        .map_err(|_| "has brackets around what is no IPv6 address")
}

fn host_name(text: &str) -> Result<Option<String>, &'static str> {
    let problem = "names no host, or several, where one is possible";
    let Some(host) = given(Some(text)).map_err(|_| problem)? else {
        return Ok(None);
    };
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if host.starts_with('/') || host.chars().all(is_name) {
        Ok(Some(host.to_string()))
    } else {
        Err(problem)
    }
}

fn port_number(text: &str) -> Result<u16, &'static str> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or("has a port that is no number up to 65535; an IPv6 address stands in [ ]")
}

fn given(text: Option<&str>) -> Result<Option<Zeroizing<String>>> {
    text.filter(|text| !text.is_empty()).map(decode).transpose()
}
