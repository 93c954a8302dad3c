//! The conformance suite on PostgreSQL.

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
use tokenkeep_sql::{Migrations, ServerOptions, SqlOptions, Tls, postgres};
use tokenkeep_testkit::{self as testkit, Server, Settings, require, shared};

/// How long a call may take: longer than a disk stands still under other programs' writes, for which
/// every revocation waits that comes after the one whose commit waits for it.
const PATIENT: Duration = Duration::from_secs(60);

/// How long one may take that a case holds up, and waits for.
const HELD_UP: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut suite = Suite::new("postgres", Postgres);
    if let Err(reason) = require(shared::postgres()) {
        for level in Level::ALL {
            suite = suite.decline_level(level, &reason);
        }
    }
    suite.main()
}

struct Postgres;

#[async_trait]
impl Backend for Postgres {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let server = blocking(shared::postgres).await?;
        let store = PostgresCase::open(Machine::Shared(server), clock, PATIENT);
        Ok(Box::new(store.await?))
    }

    async fn open_alone(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let server = blocking(|| Server::postgres(&Settings::new())).await?;
        let server = Machine::Own(Arc::new(server));
        let store = PostgresCase::open(server, clock, HELD_UP);
        Ok(Box::new(store.await?))
    }
}

/// A store in a schema of its own.
struct PostgresCase {
    // Dropped before the server that it is connected to.
    driver: Arc<dyn TokenDriver>,
    server: Machine,
    account: String,
    namespace: String,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl PostgresCase {
    async fn open(server: Machine, clock: Arc<dyn Clock>, timeout: Duration) -> Result<Self> {
        let account = match &server {
            Machine::Shared(server) => server.user().to_owned(),
            Machine::Own(_) => new_account(&server).await?,
        };
        let namespace = fresh("case");
        let driver = open(&server, &account, &namespace, &clock, timeout).await?;
        Ok(Self {
            driver,
            server,
            account,
            namespace,
            clock,
            timeout,
        })
    }

    async fn handle(&self, namespace: &str) -> Result<Arc<dyn TokenDriver>> {
        open(
            &self.server,
            &self.account,
            namespace,
            &self.clock,
            self.timeout,
        )
        .await
    }

    /// Gives the case another account, and shuts out handles that were opened with the one before.
    async fn change_account(&mut self) -> Result<()> {
        let old = std::mem::replace(&mut self.account, new_account(&self.server).await?);
        self.server.sql(format!("ALTER ROLE {old} NOLOGIN")).await?;
        let sessions = format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{old}'"
        );
        let ended = self.server.sql(sessions).await?;
        if ended.lines().any(|line| line != "t") {
            let problem = "a session of an old handle goes on";
            return Err(Error::new(ErrorKind::Internal, problem));
        }
        Ok(())
    }
}

/// Makes an account that acts as the one that owns the database.
async fn new_account(server: &Machine) -> Result<String> {
    let account = fresh("account");
    let (owner, password) = (server.get().user(), server.get().password());
    let sql = format!(
        "CREATE ROLE {account} LOGIN PASSWORD '{password}' IN ROLE {owner}; \
         ALTER ROLE {account} SET role = {owner}"
    );
    server.sql(sql).await?;
    Ok(account)
}

async fn open(
    server: &Machine,
    account: &str,
    namespace: &str,
    clock: &Arc<dyn Clock>,
    timeout: Duration,
) -> Result<Arc<dyn TokenDriver>> {
    let server = server.get();
    let options = ServerOptions {
        host: server.host().to_owned(),
        port: server.port(),
        user: account.to_owned(),
        password: Some(server.password().to_owned().into()),
        database: server.database().to_owned(),
        namespace: namespace.to_owned(),
        tls: Tls::default(),
        statement_timeout: None,
        common: SqlOptions {
            timeout,
            migrations: Migrations::Auto,
            ..SqlOptions::default()
        },
    };
    Ok(Arc::new(postgres::open(&options, Arc::clone(clock)).await?))
}

/// A name that nothing has yet.
fn fresh(kind: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[async_trait]
impl Store for PostgresCase {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle(&self.namespace).await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle(&format!("{}_neighbour", self.namespace)).await
    }

    /// All rows, with binary columns as they are as far as that can be shown.
    async fn contents(&self) -> Result<Vec<u8>> {
        let tables = ["tokens", "store", "migrations"];
        let tables = tables.map(|table| format!("TABLE {}.{table};", self.namespace));
        let text = format!("SET bytea_output = escape; {}", tables.concat());
        Ok(self.server.sql(text).await?.into_bytes())
    }

    async fn reopen(&mut self) -> Result<()> {
        self.driver = self.handle(&self.namespace).await?;
        Ok(())
    }

    /// Kills the server: a harder end than that of its client, whose writes it would finish.
    async fn kill(&mut self) -> Result<()> {
        self.server
            .disturb(|server| server.kill().and_then(|()| server.restart()))
            .await?;
        self.change_account().await?;
        self.driver = self.handle(&self.namespace).await?;
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
        self.server
            .disturb(move |server| {
                server.sql(&format!(
                    "ALTER SYSTEM SET default_transaction_read_only = {on}"
                ))?;
                server.sql("SELECT pg_reload_conf()")?;
                let wanted = if on { "on" } else { "off" };
                // Sessions are told before the next one is let in that sees it.
                for _ in 0..1_000 {
                    if server.sql("SHOW default_transaction_read_only")?.trim() == wanted {
                        return Ok(());
                    }
                }
                Err(testkit::Error::Failed(
                    "the server took no setting".to_owned(),
                ))
            })
            .await
    }

    fn call_timeout(&self) -> Duration {
        self.timeout
    }
}
