//! Redis, and Valkey, which came from it.

mod configuration;
mod rights;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{ADMIN, ADMIN_PASSWORD, Engine, Layout};
use crate::account::Account;
use crate::error::{Error, Result};
use crate::programs;
use crate::resp::{Connection, Reply};
use crate::settings::Settings;

/// How long a command may take.
const BOUND: Duration = Duration::from_secs(60);

/// How long a server has to say that it is ready, before it is asked again.
const READY_BOUND: Duration = Duration::from_secs(1);

/// Makes a sentinel ask the servers every second, not every ten: it learns as late of a replica. No
/// setting in its file does it, and it is lost with the process.
const ASK_OFTEN: [&str; 4] = ["SENTINEL", "DEBUG", "INFO-PERIOD", "1000"];

/// One of the two, as a server that holds data or as a sentinel.
#[derive(Debug)]
pub(crate) struct Redis {
    name: &'static str,
    program: &'static str,
    accounts: &'static [&'static str],
    is_sentinel: bool,
}

impl Redis {
    pub(crate) const REDIS: Self = Self {
        name: "redis",
        program: "redis-server",
        accounts: &["redis", "nobody"],
        is_sentinel: false,
    };

    pub(crate) const VALKEY: Self = Self {
        name: "valkey",
        program: "valkey-server",
        accounts: &["valkey", "nobody"],
        is_sentinel: false,
    };

    /// The same program as a sentinel.
    pub(crate) const fn into_sentinel(self) -> Self {
        Self {
            is_sentinel: true,
            ..self
        }
    }
}

impl Engine for Redis {
    fn name(&self) -> &'static str {
        self.name
    }

    fn scheme(&self) -> &'static str {
        "redis"
    }

    fn program(&self) -> &'static str {
        self.program
    }

    fn accounts(&self) -> &'static [&'static str] {
        self.accounts
    }

    fn setup(&self) -> &'static str {
        ""
    }

    fn initialise(&self, data: &Path, account: Account) -> Result<()> {
        let data = data.join("data");
        fs::create_dir(&data).map_err(Error::while_doing(data.display()))?;
        account.own(&data)
    }

    fn command(&self, layout: &Layout, settings: &Settings) -> Result<Vec<OsString>> {
        let account = Account::find(self.accounts);
        let file = configuration::write(layout, settings, account, self.is_sentinel)?;
        let program = programs::find(self.program)?;
        let mut command = vec![program.into_os_string(), file.into_os_string()];
        if self.is_sentinel {
            command.push("--sentinel".into());
        }
        Ok(command)
    }

    fn socket(&self, layout: &Layout) -> PathBuf {
        configuration::socket(layout)
    }

    /// It answers `LOADING` while it reads its files.
    fn is_ready(&self, layout: &Layout, _: i32) -> bool {
        self.connect(layout, READY_BOUND)
            .and_then(|mut connection| {
                if self.is_sentinel {
                    connection.call(&ASK_OFTEN)?;
                }
                connection.call(&["PING"])
            })
            .is_ok_and(|answer| answer == Reply::Text(b"PONG".to_vec()))
    }

    fn stop_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    fn end_signal(&self) -> &'static str {
        "KILL"
    }

    fn execute(&self, layout: &Layout, text: &str) -> Result<String> {
        let words: Vec<_> = text.split_whitespace().collect();
        let answer = self.connect(layout, BOUND)?.call(&words)?;
        Ok(answer.to_string())
    }

    fn connect(&self, layout: &Layout, bound: Duration) -> Result<Connection> {
        Connection::open(&self.socket(layout), ADMIN, ADMIN_PASSWORD, bound)
    }
}
