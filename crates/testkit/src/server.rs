//! A server that runs.

mod start;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub(crate) use self::start::Prepared;
use crate::engine::{ADMIN, ADMIN_PASSWORD, Engine, Layout, PASSWORD, USER};
use crate::error::Result;
use crate::keeper::Keeper;
use crate::ports::Port;
use crate::processes;
use crate::resp::Connection;
use crate::tls::TlsFiles;

/// How long a command may take.
const COMMAND_BOUND: Duration = Duration::from_secs(60);

/// A private server of a test; dropping it ends it and removes its folder.
///
/// # Behavior
///
/// - It listens on 127.0.0.1 and on a Unix socket, at the same port as long as it lives.
/// - It ends with the process that started it, also when that is killed.
/// - Every method blocks until what it says is so; what comes from it may be used from any thread.
#[derive(Debug)]
pub struct Server {
    engine: &'static dyn Engine,
    layout: Layout,
    running: Mutex<Running>,
    _port: Port,
}

#[derive(Debug)]
struct Running {
    keeper: Keeper,
    pid: i32,
}

impl Server {
    /// Stops all processes of the server: connections stay, and nothing is answered.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) if a process runs on regardless.
    pub fn freeze(&self) -> Result<()> {
        processes::freeze(self.running().pid)
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        processes::thaw(self.running().pid);
    }

    /// Ends all processes of the server by `kill -9`, frozen or not.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) if a process is still there long after.
    pub fn kill(&self) -> Result<()> {
        processes::end(self.running().pid)
    }

    /// Ends the server in the orderly way, without waiting for its clients.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) if it is still there long after.
    pub fn stop(&self) -> Result<()> {
        let running = self.running();
        processes::thaw(running.pid);
        processes::ask_to_end(running.pid, self.engine.stop_signal())
    }

    /// Starts the server on its data and its port once more; one that runs is killed first. Returns
    /// when it takes connections.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) with the end of the server's log if it does not come up.
    pub fn restart(&self) -> Result<()> {
        let mut running = self.running();
        processes::end(running.pid)?;
        start::begin(self.engine, &self.layout, &mut running)
    }

    /// Whether it runs, frozen or not.
    #[must_use]
    pub fn is_running(&self) -> bool {
        processes::is_alive(self.running().pid)
    }

    /// The process id of the server's first process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.running().pid
    }

    /// The host to connect to; the socket is another way.
    #[must_use]
    pub const fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port, the same after every restart.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.layout.port
    }

    /// The account of an application.
    #[must_use]
    pub const fn user(&self) -> &'static str {
        USER
    }

    /// Its password, with characters that a URL has to encode.
    #[must_use]
    pub const fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The database of the application's account.
    #[must_use]
    pub const fn database(&self) -> &'static str {
        USER
    }

    /// The administrator's account.
    #[must_use]
    pub const fn admin(&self) -> &'static str {
        ADMIN
    }

    /// The administrator's password.
    #[must_use]
    pub const fn admin_password(&self) -> &'static str {
        ADMIN_PASSWORD
    }

    /// The path of the Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.engine.socket(&self.layout)
    }

    /// The server's folder: data, socket, log, binary log and TLS files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.layout.folder
    }

    /// The folder of its data.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        self.layout.data()
    }

    /// The TLS files of a server that was started with TLS.
    #[must_use]
    pub const fn tls(&self) -> Option<&TlsFiles> {
        self.layout.tls.as_ref()
    }

    /// The store URL of a namespace: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?namespace=NAME`,
    /// with `mysql` or `redis` for the others; Redis has no database in it.
    #[must_use]
    pub fn url(&self, namespace: &str) -> String {
        let scheme = self.engine.scheme();
        let mut url = format!("{scheme}://{}@{}", credentials(), self.address());
        if scheme != "redis" {
            // Writing to a string does not fail.
            let _ = write!(url, "/{USER}");
        }
        format!("{url}?namespace={namespace}")
    }

    /// Host and port, as in a URL.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }

    /// Executes SQL as the administrator through the server's own client program, and gives what
    /// that prints: rows in lines, without headings. For Redis it is a command without spaces in
    /// its arguments; see [`command`](Self::command).
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) with what the client or the server complained of.
    pub fn sql(&self, text: &str) -> Result<String> {
        self.engine.execute(&self.layout, text)
    }

    /// Executes a Redis command as the administrator, on a connection of its own over the Unix
    /// socket and within a minute; gives the answer as `redis-cli` prints it to a pipe.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) with what the server complained of, or if it takes no such commands.
    pub fn command(&self, command: &[&str]) -> Result<String> {
        let answer = self.connect(COMMAND_BOUND)?.call(command)?;
        Ok(answer.to_string())
    }

    /// As [`command`](Self::command), one after another on one connection: `WAIT` waits for what
    /// its own connection wrote.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command); those before the one at fault are executed.
    pub fn commands(&self, commands: &[&[&str]]) -> Result<Vec<String>> {
        let mut connection = self.connect(COMMAND_BOUND)?;
        let mut call = |command: &&[&str]| Ok(connection.call(command)?.to_string());
        commands.iter().map(&mut call).collect()
    }

    /// The administrator's connection to a Redis server.
    pub(crate) fn connect(&self, bound: Duration) -> Result<Connection> {
        self.engine.connect(&self.layout, bound)
    }

    /// Whether it runs and is not frozen.
    pub(crate) fn is_awake(&self) -> bool {
        let pid = self.pid();
        processes::is_alive(pid) && !processes::stands_still(pid)
    }

    /// The last lines of what the server wrote.
    #[must_use]
    pub fn end_of_log(&self) -> String {
        end_of_log(&self.layout)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The application's account, as in a URL.
pub(crate) fn credentials() -> String {
    format!("{USER}:{}", utf8_percent_encode(PASSWORD, NON_ALPHANUMERIC))
}

fn end_of_log(layout: &Layout) -> String {
    let log = fs::read(layout.folder.join("log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
