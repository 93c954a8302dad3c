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
struct Parts<'a> {
    user: Option<&'a str>,
    place: &'a str,
    database: Option<&'a str>,
}

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
        let (host, port) = self.host_and_port(parts.place)?;
        let (user, password) = match parts.user.map(|user| user.split_once(':')) {
            Some(Some((user, password))) => (Some(user), Some(password)),
            Some(None) => (parts.user, None),
            None => (None, None),
        };
        if user.is_some_and(|user| user.contains('/')) {
            return Err(self.fault("has an `@` behind its host, which has to be written %40"));
        }
        if parts.database.is_some_and(|name| name.contains('/')) {
            return Err(self.fault("names more than a database behind its host"));
        }
        Ok(ServerAddress {
            host,
            port,
            user: given(user)?.map(|user| user.to_string()),
            password: given(password)?,
            database: given(parts.database)?.map(|name| name.to_string()),
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
        let place = format!("{host}:{port}");
        self.host_and_port(&place)?;
        let parts = self.parts()?;
        let user = parts.user.map_or(String::new(), |user| format!("{user}@"));
        let database = parts
            .database
            .map_or(String::new(), |name| format!("/{name}"));
        let rest = Zeroizing::new(format!("//{user}{place}{database}"));
        self.rest = rest;
        Ok(self)
    }

    fn parts(&self) -> Result<Parts<'_>> {
        let rest = self.rest.strip_prefix("//").ok_or_else(|| {
            self.fault("names no server; it looks like //user@host:port/database")
        })?;
        // At the last `@`, as where the password is masked.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (place, database) = match rest.split_once('/') {
            Some((place, database)) => (place, Some(database)),
            None => (rest, None),
        };
        Ok(Parts {
            user,
            place,
            database,
        })
    }

    fn host_and_port(&self, place: &str) -> Result<(Option<String>, Option<u16>)> {
        let (host, port) = match place
            .strip_prefix('[')
            .and_then(|place| place.split_once(']'))
        {
            Some((host, "")) => (self.ipv6(host)?, None),
            Some((host, port)) => (self.ipv6(host)?, Some(port.strip_prefix(':').unwrap_or(""))),
            None => match place.split_once(':') {
                Some((host, port)) => (self.host_name(host)?, Some(port)),
                None => (self.host_name(place)?, None),
            },
        };
        let port = port.map(|port| self.port(port)).transpose()?;
        Ok((host, port))
    }

    fn ipv6(&self, text: &str) -> Result<Option<String>> {
        match text.parse::<Ipv6Addr>() {
            Ok(address) => Ok(Some(address.to_string())),
            Err(_) => Err(self.fault("has brackets around what is no IPv6 address")),
        }
    }

    fn host_name(&self, text: &str) -> Result<Option<String>> {
        let Some(host) = given(Some(text))? else {
            return Ok(None);
        };
        let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
        if host.starts_with('/') || host.chars().all(is_name) {
            Ok(Some(host.to_string()))
        } else {
            Err(self.fault("names no host, or several, where one is possible"))
        }
    }

    fn port(&self, text: &str) -> Result<u16> {
        let port = text.parse().ok().filter(|port| *port != 0);
        port.ok_or_else(|| {
            self.fault("has a port that is no number up to 65535; an IPv6 address stands in [ ]")
        })
    }
}

fn given(text: Option<&str>) -> Result<Option<Zeroizing<String>>> {
    text.filter(|text| !text.is_empty()).map(decode).transpose()
}
