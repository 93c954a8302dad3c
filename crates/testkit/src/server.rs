//! A server that runs.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::account::Account;
use crate::engine::{
    ADMIN, ADMIN_PASSWORD, Engine, Layout, MariaDb, PASSWORD, Postgres, Redis, USER,
};
use crate::error::{Error, Result};
use crate::keeper::Keeper;
use crate::ports::Port;
use crate::settings::Settings;
use crate::tls::TlsFiles;
use crate::{processes, programs, template, tls};

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
    /// Starts a PostgreSQL server with an account `tokenkeep` that owns a database `tokenkeep`.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where PostgreSQL is not installed.
    pub fn postgres(settings: &Settings) -> Result<Self> {
        Self::start(&Postgres, settings)
    }

    /// Starts a MariaDB server with a binary log and an account `tokenkeep`, which may make
    /// databases and whatever goes in them; one is called `tokenkeep`.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where MariaDB is not installed.
    pub fn mariadb(settings: &Settings) -> Result<Self> {
        Self::start(&MariaDb, settings)
    }

    /// Starts a Redis server that flushes every write, with an account `tokenkeep`.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Redis is not installed.
    pub fn redis(settings: &Settings) -> Result<Self> {
        Self::start(&Redis, settings)
    }

    fn start(engine: &'static dyn Engine, settings: &Settings) -> Result<Self> {
        programs::find(engine.program())?;
        let account = Account::find(engine.accounts());
        let port = Port::take()?;
        let folder = tempfile::Builder::new()
            .prefix("tokenkeep-")
            .tempdir()
            .map_err(Error::while_doing("a temporary folder"))?;
        account.own(folder.path())?;
        let mut layout = Layout {
            folder: folder.path().to_owned(),
            port: port.number,
            tls: None,
        };
        template::copy(engine, account, &layout.data())?;
        if settings.tls {
            layout.tls = Some(tls::make(&layout.folder, account)?);
        }
        let command = engine.command(&layout, settings)?;
        let signal = engine.end_signal();
        let keeper = Keeper::new(&layout.folder, signal, &command, account)?;
        // From here on the keeper removes it.
        let _ = folder.keep();
        let server = Self {
            engine,
            layout,
            running: Mutex::new(Running { keeper, pid: 0 }),
            _port: port,
        };
        server.begin(&mut server.running())?;
        Ok(server)
    }

    /// Stops all processes of the server: connections stay, and nothing is answered.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if a process runs on regardless.
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
    /// [`Error::Failed`] if a process is still there long after.
    pub fn kill(&self) -> Result<()> {
        processes::end(self.running().pid)
    }

    /// Ends the server in the orderly way, without waiting for its clients.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if it is still there long after.
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
    /// [`Error::Failed`] with the end of the server's log if it does not come up.
    pub fn restart(&self) -> Result<()> {
        let mut running = self.running();
        processes::end(running.pid)?;
        self.begin(&mut running)
    }

    fn begin(&self, running: &mut Running) -> Result<()> {
        running.pid = running.keeper.start()?;
        let pid = running.pid;
        let ready = || self.engine.is_ready(&self.layout, pid);
        processes::until("the server to take connections", || {
            !processes::is_alive(pid) || ready()
        })
        .and_then(|()| {
            if processes::is_alive(pid) {
                Ok(())
            } else {
                Err(Error::failed("it ended"))
            }
        })
        .map_err(|error| {
            let (name, log) = (self.engine.name(), self.end_of_log());
            Error::failed(format_args!("{name} did not start: {error}\n{log}"))
        })
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
        let password = utf8_percent_encode(PASSWORD, NON_ALPHANUMERIC);
        let (host, port) = (self.host(), self.port());
        let mut url = format!("{scheme}://{USER}:{password}@{host}:{port}");
        if scheme != "redis" {
            // Writing to a string does not fail.
            let _ = write!(url, "/{USER}");
        }
        format!("{url}?namespace={namespace}")
    }

    /// Executes SQL, or a Redis command, as the administrator through the server's own client
    /// program; gives what that prints: rows in lines, without headings.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with what the client complained of.
    pub fn sql(&self, text: &str) -> Result<String> {
        let mut client = self.engine.client(&self.layout, text)?;
        programs::run(&mut client, Path::new("/dev/null"))
    }

    /// The last lines of what the server wrote.
    #[must_use]
    pub fn end_of_log(&self) -> String {
        let log = fs::read(self.layout.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
