//! The servers that a URL names, where it may name several.

use std::fmt;

use zeroize::Zeroizing;

use super::server::place;
use super::{StoreUrl, decode};
use crate::Result;

/// Servers, one account on all of them, and what stands behind them:
/// `//user:password@host:port,host:port/part/part`, with percent-encoding undone.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerList {
    /// Names or addresses, IPv6 ones without their brackets, each with its port if it has one. Empty
    /// where nothing stands before the path.
    pub hosts: Vec<(String, Option<u16>)>,
    /// The account.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Zeroizing<String>>,
    /// What stands behind the hosts, cut at each `/`; empty without a `/`.
    pub path: Vec<String>,
}

impl fmt::Debug for ServerList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerList")
            .field("hosts", &self.hosts)
            .field("user", &self.user)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl StoreUrl {
    /// The servers that the URL names, in the order given.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokenkeep::StoreUrl;
    ///
    /// let url: StoreUrl = "redis+sentinel://:s3cret@a:1,[::1]/tokens/0".parse()?;
    /// let servers = url.servers()?;
    /// assert_eq!(servers.hosts, [("a".to_owned(), Some(1)), ("::1".to_owned(), None)]);
    /// assert_eq!(servers.path, ["tokens", "0"]);
    /// # Ok::<(), tokenkeep::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Config` if it is of another form; the message says which host of the list is none.
    pub fn servers(&self) -> Result<ServerList> {
        let parts = self.parts()?;
        let (user, password) = self.account(parts.account)?;
        if parts.account.is_some_and(has_host) {
            return Err(self.fault(
                "has an account behind its first host: one account stands before all hosts, in which \
                 `@` is written %40 and `,` is written %2C",
            ));
        }
        let hosts = match parts.place {
            "" => Vec::new(),
            list => self.hosts(list)?,
        };
        let path = parts.path.map(|path| path.split('/'));
        let path = path.into_iter().flatten();
        let path: Result<_> = path.map(|part| Ok(decode(part)?.to_string())).collect();
        Ok(ServerList {
            hosts,
            user,
            password,
            path: path?,
        })
    }

    fn hosts(&self, list: &str) -> Result<Vec<(String, Option<u16>)>> {
        let all = list.split(',').count();
        let host = |(index, text)| {
            let found = match place(text) {
                Ok((Some(host), port)) => Ok((host, port)),
                Ok((None, _)) => Err("names no host where one has to be"),
                Err(problem) => Err(problem),
            };
            found.map_err(|problem| match all {
                1 => self.fault(problem),
                _ => self.fault(format_args!("{problem} (host {} of {all})", index + 1)),
            })
        };
        list.split(',').enumerate().map(host).collect()
    }
}

/// Tells whether an account, which ends at the last `@`, has a host of the list in it.
fn has_host(account: &str) -> bool {
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    let behind = password.split_once('@').map_or("", |(_, behind)| behind);
    user.contains(',') || behind.contains(',')
}
