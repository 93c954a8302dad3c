//! How a server starts.

use std::sync::Mutex;
use std::thread;

use super::{Running, Server};
use crate::account::Account;
use crate::engine::{Engine, Layout, MariaDb, Postgres, Redis};
use crate::error::{Error, Result};
use crate::keeper::Keeper;
use crate::ports::Port;
use crate::settings::Settings;
use crate::tls::TlsFiles;
use crate::{processes, programs, template, tls};

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
        Self::start(&Redis::REDIS, settings)
    }

    /// Starts a Valkey server, set as [`redis`](Self::redis) is; its URLs are those of Redis.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Valkey is not installed.
    pub fn valkey(settings: &Settings) -> Result<Self> {
        Self::start(&Redis::VALKEY, settings)
    }

    fn start(engine: &'static dyn Engine, settings: &Settings) -> Result<Self> {
        Prepared::new(engine, settings, None)?.start()
    }
}

/// A server that does not run yet, but has its port, its folder and its settings.
#[derive(Debug)]
pub(crate) struct Prepared {
    engine: &'static dyn Engine,
    layout: Layout,
    keeper: Keeper,
    port: Port,
}

impl Prepared {
    /// A new one, with TLS files of its own if it needs some and none are given.
    pub(crate) fn new(
        engine: &'static dyn Engine,
        settings: &Settings,
        tls: Option<&TlsFiles>,
    ) -> Result<Self> {
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
            tls: tls.cloned(),
        };
        template::copy(engine, account, &layout.data())?;
        if settings.tls && layout.tls.is_none() {
            layout.tls = Some(tls::make(&layout.folder, account)?);
        }
        let command = engine.command(&layout, settings)?;
        let signal = engine.end_signal();
        let keeper = Keeper::new(&layout.folder, signal, &command, account)?;
        // From here on the keeper removes it.
        let _ = folder.keep();
        Ok(Self {
            engine,
            layout,
            keeper,
            port,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.number
    }

    pub(crate) fn tls(&self) -> Option<&TlsFiles> {
        self.layout.tls.as_ref()
    }

    /// Starts it; returns when it takes connections.
    pub(crate) fn start(self) -> Result<Server> {
        let mut running = Running {
            keeper: self.keeper,
            pid: 0,
        };
        begin(self.engine, &self.layout, &mut running)?;
        Ok(Server {
            engine: self.engine,
            layout: self.layout,
            running: Mutex::new(running),
            _port: self.port,
        })
    }

    /// Starts several at the same time; gives them in the same order.
    pub(crate) fn start_all(prepared: Vec<Self>) -> Result<Vec<Server>> {
        thread::scope(|scope| {
            let starting: Vec<_> = prepared
                .into_iter()
                .map(|server| scope.spawn(|| server.start()))
                .collect();
            let panicked = |_| Err(Error::failed("starting a server panicked"));
            let started = starting.into_iter().map(|starting| starting.join());
            started
                .map(|started| started.unwrap_or_else(panicked))
                .collect()
        })
    }
}

/// Starts the server, which must not be running; returns when it takes connections.
pub(super) fn begin(
    engine: &'static dyn Engine,
    layout: &Layout,
    running: &mut Running,
) -> Result<()> {
    running.pid = running.keeper.start()?;
    let pid = running.pid;
    let ready = || engine.is_ready(layout, pid);
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
        let (name, log) = (engine.name(), super::end_of_log(layout));
        Error::failed(format_args!("{name} did not start: {error}\n{log}"))
    })
}
