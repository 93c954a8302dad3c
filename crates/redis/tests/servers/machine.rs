//! The servers of a store, of each kind, and what may be done to them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokenkeep_core::{Error, ErrorKind, Result};
use tokenkeep_redis::{Address, Host, SentinelServers, Servers};
use tokenkeep_testkit::{self as testkit, Cluster, SentinelSet, Server, Settings};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Redis,
    Valkey,
    Sentinel,
    Cluster,
}

/// Servers of one kind, with the rights of the application's account as they were at the start.
#[derive(Debug)]
pub(crate) struct Machine {
    set: Set,
    rights: Vec<String>,
}

#[derive(Debug)]
enum Set {
    Server(Server),
    Sentinel(SentinelSet),
    Cluster(Cluster),
}

impl Kind {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "redis" => Self::Redis,
            "valkey" => Self::Valkey,
            "sentinel" => Self::Sentinel,
            "cluster" => Self::Cluster,
            _ => panic!("{name} is no kind of servers"),
        }
    }

    fn start(self) -> testkit::Result<Machine> {
        // No server is lost for good here, so that being slow is no reason to replace one.
        let settings = Settings::new().patient();
        let set = match self {
            Self::Redis => Set::Server(Server::redis(&settings)?),
            Self::Valkey => Set::Server(Server::valkey(&settings)?),
            Self::Sentinel => Set::Sentinel(SentinelSet::redis(&settings)?),
            Self::Cluster => Set::Cluster(Cluster::redis(3, 1, &settings)?),
        };
        let rights = rights(&set)?;
        Ok(Machine { set, rights })
    }

    /// The one that all tests of the process share.
    pub(crate) fn shared(self) -> testkit::Result<Arc<Machine>> {
        static MACHINE: OnceLock<testkit::Result<Arc<Machine>>> = OnceLock::new();
        MACHINE.get_or_init(|| self.start().map(Arc::new)).clone()
    }

    /// One that nothing else uses until it is given back.
    pub(crate) fn own(self) -> testkit::Result<Arc<Machine>> {
        let free = free().pop();
        match free {
            Some(machine) => machine.mend().map(|()| machine),
            None => self.start().map(Arc::new),
        }
    }
}

/// Those that were given back: starting a set takes seconds.
fn free() -> std::sync::MutexGuard<'static, Vec<Arc<Machine>>> {
    static FREE: Mutex<Vec<Arc<Machine>>> = Mutex::new(Vec::new());
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn give_back(machine: Arc<Machine>) {
    free().push(machine);
}

/// The account's rights, as the servers take them again.
fn rights(set: &Set) -> testkit::Result<Vec<String>> {
    let list = nodes(set)[0].command(&["ACL", "LIST"])?;
    let line = list
        .lines()
        .find_map(|line| line.strip_prefix("user tokenkeep "));
    let problem = || testkit::Error::Failed("there is no account `tokenkeep`".to_owned());
    let rights = line.ok_or_else(problem)?.split(' ');
    Ok(rights.map(str::to_owned).collect())
}

fn nodes(set: &Set) -> &[Server] {
    match set {
        Set::Server(server) => std::slice::from_ref(server),
        Set::Sentinel(set) => set.nodes(),
        Set::Cluster(set) => set.nodes(),
    }
}

impl Machine {
    /// The servers that hold data.
    pub(crate) fn nodes(&self) -> &[Server] {
        nodes(&self.set)
    }

    pub(crate) fn servers(&self) -> Servers {
        match &self.set {
            Set::Server(server) => Servers::Standalone(Address::Tcp(host(server))),
            Set::Sentinel(set) => Servers::Sentinel(SentinelServers {
                sentinels: set.sentinels().iter().map(host).collect(),
                master: set.master_name().to_owned(),
                user: None,
                password: None,
            }),
            Set::Cluster(set) => Servers::Cluster(set.nodes().iter().take(3).map(host).collect()),
        }
    }

    pub(crate) fn password(&self) -> &'static str {
        self.nodes()[0].password()
    }

    /// Does this to every server.
    pub(crate) fn each(
        &self,
        act: impl Fn(&Server) -> testkit::Result<()> + Sync,
    ) -> testkit::Result<()> {
        std::thread::scope(|scope| {
            let acts = self.nodes().iter().map(|node| scope.spawn(|| act(node)));
            let acts: Vec<_> = acts.collect();
            acts.into_iter()
                .try_for_each(|act| act.join().unwrap_or_else(|_| Err(failed("it panicked"))))
        })
    }

    /// Waits until the servers are of one mind about each other.
    pub(crate) fn settle(&self) -> testkit::Result<()> {
        match &self.set {
            Set::Server(_) => Ok(()),
            Set::Sentinel(set) => set.wait_ok(),
            Set::Cluster(set) => set.wait_ok(),
        }
    }

    pub(crate) fn kill(&self) -> testkit::Result<()> {
        self.each(Server::kill)
    }

    pub(crate) fn restart(&self) -> testkit::Result<()> {
        self.each(Server::restart)?;
        self.settle()
    }

    pub(crate) fn read_only(&self, on: bool) -> testkit::Result<()> {
        // No server has so many replicas.
        let count = if on { "9" } else { "0" };
        self.each(|node| {
            let command = ["CONFIG", "SET", "min-replicas-to-write", count];
            node.command(&command).map(drop)
        })
    }

    /// Makes an account like the application's on every server.
    pub(crate) fn add_account(&self, name: &str) -> testkit::Result<()> {
        let mut command = vec!["ACL", "SETUSER", name];
        command.extend(self.rights.iter().map(String::as_str));
        self.each(|node| node.command(&command).map(drop))
    }

    /// Removes an account and ends its connections.
    pub(crate) fn remove_account(&self, name: &str) -> testkit::Result<()> {
        self.each(|node| node.command(&["ACL", "DELUSER", name]).map(drop))
    }

    /// Makes everything as it was at the start but for what is stored.
    fn mend(&self) -> testkit::Result<()> {
        self.each(|node| {
            node.thaw();
            match node.is_running() {
                true => Ok(()),
                false => node.restart(),
            }
        })?;
        self.settle()?;
        self.read_only(false)?;
        self.add_account(self.nodes()[0].user())
    }
}

fn host(server: &Server) -> Host {
    Host {
        name: server.host().to_owned(),
        port: server.port(),
    }
}

fn failed(problem: &str) -> testkit::Error {
    testkit::Error::Failed(problem.to_owned())
}

pub(crate) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> testkit::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |problem: String| Error::new(ErrorKind::Internal, problem);
    tokio::task::spawn_blocking(act)
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}
