//! What differs between the servers.

mod mariadb;
mod postgres;
mod redis;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

pub(crate) use mariadb::MariaDb;
pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::resp::Connection;
use crate::settings::Settings;
use crate::tls::TlsFiles;

/// The account of an application, its password and its database. The password holds what a URL
/// has to encode.
pub(crate) const USER: &str = "tokenkeep";
pub(crate) const PASSWORD: &str = "k33p/it@home:100%";

/// The account of the administrator.
pub(crate) const ADMIN: &str = "admin";
pub(crate) const ADMIN_PASSWORD: &str = "the-keeper";

/// The account that guarded sentinels ask for: not that of the servers.
pub(crate) const SENTINEL_USER: &str = "watcher";
pub(crate) const SENTINEL_PASSWORD: &str = "w4tch/er@home:50%";

/// Where a server lives.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) tls: Option<TlsFiles>,
}

impl Layout {
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

/// A kind of server.
pub(crate) trait Engine: fmt::Debug + Send + Sync {
    /// Its name, in paths and messages.
    fn name(&self) -> &'static str;

    /// The scheme of its URLs.
    fn scheme(&self) -> &'static str;

    /// The program that runs it.
    fn program(&self) -> &'static str;

    /// The accounts that it may run under where we are root, best first.
    fn accounts(&self) -> &'static [&'static str];

    /// What a template depends on besides the program.
    fn setup(&self) -> &'static str;

    /// Makes the data of a new server, with the accounts, in a folder that is there.
    fn initialise(&self, data: &Path, account: Account) -> Result<()>;

    /// The command that runs the server in the foreground.
    fn command(&self, layout: &Layout, settings: &Settings) -> Result<Vec<OsString>>;

    /// Where its Unix socket lies.
    fn socket(&self, layout: &Layout) -> PathBuf;

    /// Whether it takes connections.
    fn is_ready(&self, layout: &Layout, pid: i32) -> bool;

    /// The signal that ends it in the orderly way.
    fn stop_signal(&self) -> Signal;

    /// The name of the signal that ends it at once, leaving nothing behind outside its folder.
    fn end_signal(&self) -> &'static str;

    /// What the server prints when the administrator executes this text.
    fn execute(&self, layout: &Layout, text: &str) -> Result<String>;

    /// The administrator's connection, whose answers come within the bound.
    fn connect(&self, layout: &Layout, bound: Duration) -> Result<Connection>;
}

/// `NAME=VALUE` for a setting of ours, unless the test sets it otherwise; then the test's settings.
fn merged(ours: &[(&str, String)], settings: &Settings) -> Vec<(String, String)> {
    let theirs = |name: &str| settings.options.iter().any(|(other, _)| other == name);
    ours.iter()
        .filter(|(name, _)| !theirs(name))
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .chain(settings.options.iter().cloned())
        .collect()
}

/// What a server says that has SQL instead.
fn has_no_commands() -> Result<Connection> {
    Err(Error::failed("the server takes SQL, no commands"))
}
