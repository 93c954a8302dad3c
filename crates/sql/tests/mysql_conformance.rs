//! The conformance suite on MySQL, proved on MariaDB.

#[path = "servers/machine.rs"]
mod machine;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use machine::{Machine, blocking};
use tokenkeep_conformance::{Backend, Level, Store, Suite};
use tokenkeep_core::{Clock, Error, ErrorKind, Result, TokenDriver};
use tokenkeep_sql::{ServerOptions, SqlOptions, Tls, mysql};
use tokenkeep_testkit::{Server, Settings, require, shared};

/// How long a call may take: longer than a disk stands still under other programs' writes, for which
/// every revocation waits that comes after the one whose commit waits for it.
const PATIENT: Duration = Duration::from_secs(60);

/// How long one may take that a case holds up, and waits for.
const HELD_UP: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut suite = Suite::new("mysql", MySql);
    if let Err(reason) = require(shared::mariadb()) {
        for level in Level::ALL {
            suite = suite.decline_level(level, &reason);
        }
    }
    suite.main()
}

const TABLES: [&str; 3] = ["tokens", "store", "migrations"];

struct MySql;

#[async_trait]
impl Backend for MySql {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let server = blocking(shared::mariadb).await?;
        let store = MySqlCase::open(Machine::Shared(server), clock, PATIENT);
        Ok(Box::new(store.await?))
    }

    async fn open_alone(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let server = blocking(|| Server::mariadb(&Settings::new())).await?;
        let server = Machine::Own(Arc::new(server));
        let store = MySqlCase::open(server, clock, HELD_UP);
        Ok(Box::new(store.await?))
    }
}

/// A store in a database of its own.
struct MySqlCase {
    // Dropped before the server that it is connected to.
    driver: Arc<dyn TokenDriver>,
    server: Machine,
    options: ServerOptions,
    clock: Arc<dyn Clock>,
}

impl MySqlCase {
    async fn open(server: Machine, clock: Arc<dyn Clock>, timeout: Duration) -> Result<Self> {
        let options = options(server.get(), fresh_namespace(), timeout);
        let driver = Arc::new(mysql::open(&options, Arc::clone(&clock)).await?);
        Ok(Self {
            driver,
            server,
            options,
            clock,
        })
    }

    async fn handle(&self) -> Result<Arc<dyn TokenDriver>> {
        let driver = mysql::open(&self.options, Arc::clone(&self.clock));
        Ok(Arc::new(driver.await?))
    }

    /// Shuts handles out that were given out before: their account has another name now, and their
    /// sessions end.
    async fn shut_out(&mut self) -> Result<()> {
        let old = self.options.user.clone();
        self.options.user = format!("{old}x");
        let rename = format!("RENAME USER '{old}'@'%' TO '{}'@'%'", self.options.user);
        self.server.sql(rename).await?;
        let sessions = format!("FROM information_schema.processlist WHERE user = '{old}'");
        for _ in 0..10_000 {
            let count = self.server.sql(format!("SELECT COUNT(*) {sessions}"));
            if count.await?.trim() == "0" {
                return Ok(());
            }
            self.server.sql(format!("KILL USER '{old}'")).await?;
        }
        let problem = "a session of an old handle goes on";
        Err(Error::new(ErrorKind::Internal, problem))
    }
}

fn options(server: &Server, namespace: String, timeout: Duration) -> ServerOptions {
    ServerOptions {
        host: server.host().to_owned(),
        port: server.port(),
        user: server.user().to_owned(),
        password: Some(server.password().to_owned().into()),
        database: server.database().to_owned(),
        namespace,
        tls: Tls::default(),
        statement_timeout: None,
        common: SqlOptions {
            timeout,
            ..SqlOptions::default()
        },
    }
}

fn fresh_namespace() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("case_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[async_trait]
impl Store for MySqlCase {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle().await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        let mut options = self.options.clone();
        options.namespace.push_str("_neighbour");
        let driver = mysql::open(&options, Arc::clone(&self.clock));
        Ok(Arc::new(driver.await?))
    }

    /// All rows, with binary columns as they are as far as that can be shown.
    async fn contents(&self) -> Result<Vec<u8>> {
        let dump = |table| format!("SELECT * FROM {}.{table};", self.options.namespace);
        let text = TABLES.map(dump).concat();
        Ok(self.server.sql(text).await?.into_bytes())
    }

    async fn reopen(&mut self) -> Result<()> {
        self.driver = self.handle().await?;
        Ok(())
    }

    /// Kills the server: a harder end than that of its client, whose writes it would finish.
    async fn kill(&mut self) -> Result<()> {
        self.server
            .disturb(|server| server.kill().and_then(|()| server.restart()))
            .await?;
        self.shut_out().await?;
        self.driver = self.handle().await?;
        Ok(())
    }

    async fn freeze(&self) -> Result<()> {
        self.server.disturb(Server::freeze).await
    }

    async fn thaw(&self) -> Result<()> {
        let thaw = |server: &Server| {
            server.thaw();
            Ok(())
        };
        self.server.disturb(thaw).await
    }

    async fn stop(&self) -> Result<()> {
        self.server.disturb(Server::stop).await
    }

    async fn start(&self) -> Result<()> {
        self.server.disturb(Server::restart).await
    }

    async fn read_only(&self, on: bool) -> Result<()> {
        let switch = move |server: &Server| {
            server
                .sql(&format!("SET GLOBAL read_only = {on}"))
                .map(drop)
        };
        self.server.disturb(switch).await
    }

    fn call_timeout(&self) -> Duration {
        self.options.common.timeout
    }
}
