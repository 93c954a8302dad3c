//! The conformance suite on servers of any kind.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_conformance::{Backend, Level, Store, Suite};
use tokenkeep_core::{Clock, Result, TokenDriver};
use tokenkeep_redis::{RedisOptions, Servers};
use tokenkeep_testkit::{self as testkit, Server, require};

use crate::machine::{Kind, Machine, blocking, give_back};

/// How many shards a store on a Cluster has here.
const SHARDS: u32 = 16;

/// Gives everything that a namespace holds, key by key.
const DUMP: &str = "
    local out = {}
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
        out[#out + 1] = key
        local kind = redis.call('TYPE', key).ok
        if kind == 'string' then out[#out + 1] = redis.call('GET', key) end
        if kind == 'zset' then out[#out + 1] = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
        if kind == 'hash' then out[#out + 1] = redis.call('HGETALL', key) end
    end
    return out";

/// Runs the suite as the `main` of a test program.
pub(crate) fn run(name: &str) -> ExitCode {
    let kind = Kind::named(name);
    let mut suite = Suite::new(name, Any(kind));
    if let Err(reason) = require(kind.shared()) {
        for level in Level::ALL {
            suite = suite.decline_level(level, &reason);
        }
    }
    suite.main()
}

struct Any(Kind);

#[async_trait]
impl Backend for Any {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let kind = self.0;
        let machine = blocking(move || kind.shared()).await?;
        let case = Case::open(machine, false, clock, Duration::from_secs(10));
        Ok(Box::new(case.await?))
    }

    async fn open_alone(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let kind = self.0;
        let machine = blocking(move || kind.own()).await?;
        let case = Case::open(machine, true, clock, Duration::from_secs(5));
        Ok(Box::new(case.await?))
    }
}

/// A store in a namespace of its own.
struct Case {
    driver: Arc<dyn TokenDriver>,
    machine: Arc<Machine>,
    is_own: bool,
    account: String,
    namespace: String,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl Drop for Case {
    fn drop(&mut self) {
        if self.is_own {
            give_back(Arc::clone(&self.machine));
        }
    }
}

impl Case {
    async fn open(
        machine: Arc<Machine>,
        is_own: bool,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<Self> {
        let account = machine.nodes()[0].user().to_owned();
        let namespace = fresh("case");
        let driver = open(&machine, &account, &namespace, &clock, timeout).await?;
        Ok(Self {
            driver,
            machine,
            is_own,
            account,
            namespace,
            clock,
            timeout,
        })
    }

    async fn handle(&self, namespace: &str) -> Result<Arc<dyn TokenDriver>> {
        let (machine, account) = (&self.machine, &self.account);
        open(machine, account, namespace, &self.clock, self.timeout).await
    }

    async fn act(
        &self,
        act: impl FnOnce(&Machine) -> testkit::Result<()> + Send + 'static,
    ) -> Result<()> {
        assert!(self.is_own, "the case disturbs servers that others use");
        let machine = Arc::clone(&self.machine);
        blocking(move || act(&machine)).await
    }
}

async fn open(
    machine: &Machine,
    account: &str,
    namespace: &str,
    clock: &Arc<dyn Clock>,
    timeout: Duration,
) -> Result<Arc<dyn TokenDriver>> {
    let options = RedisOptions {
        user: Some(account.to_owned()),
        password: Some(machine.password().to_owned().into()),
        namespace: namespace.to_owned(),
        timeout,
        // Fewer than by default: the cases are full of bulk calls, which go to all of them.
        shards: matches!(machine.servers(), Servers::Cluster(_)).then_some(SHARDS),
        ..RedisOptions::new(machine.servers())
    };
    let driver = tokenkeep_redis::open(&options, Arc::clone(clock)).await?;
    Ok(Arc::new(driver))
}

/// A name that nothing has yet.
fn fresh(kind: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[async_trait]
impl Store for Case {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle(&self.namespace).await
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        self.handle(&format!("{}_neighbour", self.namespace)).await
    }

    async fn contents(&self) -> Result<Vec<u8>> {
        let machine = Arc::clone(&self.machine);
        let keys = format!("{}:*", self.namespace);
        let dump = move || {
            let mut dump = String::new();
            for node in machine.nodes() {
                if node.command(&["ROLE"])?.starts_with("master") {
                    dump += &node.command(&["EVAL", DUMP, "0", &keys])?;
                }
            }
            Ok(dump.into_bytes())
        };
        blocking(dump).await
    }

    async fn reopen(&mut self) -> Result<()> {
        self.driver = self.handle(&self.namespace).await?;
        Ok(())
    }

    /// Kills the servers, all at once: a harder end than that of their client, whose writes they would
    /// finish. The account of the handles before is gone when this returns.
    async fn kill(&mut self) -> Result<()> {
        let account = fresh("account");
        let (new, old) = (account.clone(), self.account.clone());
        self.act(move |machine| {
            machine.kill()?;
            machine.restart()?;
            machine.add_account(&new)?;
            machine.remove_account(machine.nodes()[0].user())?;
            machine.remove_account(&old)
        })
        .await?;
        self.account = account;
        self.driver = self.handle(&self.namespace).await?;
        Ok(())
    }

    async fn freeze(&self) -> Result<()> {
        self.act(|machine| machine.each(Server::freeze)).await
    }

    async fn thaw(&self) -> Result<()> {
        self.act(|machine| {
            machine.each(|node| {
                node.thaw();
                Ok(())
            })
        })
        .await
    }

    async fn stop(&self) -> Result<()> {
        self.act(|machine| machine.each(Server::stop)).await
    }

    async fn start(&self) -> Result<()> {
        self.act(Machine::restart).await
    }

    async fn read_only(&self, on: bool) -> Result<()> {
        self.act(move |machine| machine.read_only(on)).await
    }

    fn call_timeout(&self) -> Duration {
        self.timeout
    }
}
