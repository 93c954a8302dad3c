//! Redis servers that sentinels watch.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::engine::{ADMIN, ADMIN_PASSWORD, Redis, SENTINEL_PASSWORD, SENTINEL_USER};
use crate::error::{Error, Result};
use crate::processes;
use crate::replication::{self, ASK_BOUND, PAUSE, Role};
use crate::server::{Prepared, Server, credentials};
use crate::settings::Settings;

/// What the sentinels call the master.
const MASTER_NAME: &str = "token-store";

/// A master, two replicas and three sentinels that put a replica in its place if it is lost.
///
/// # Behavior
///
/// - They ask for the application's account of [`Server::redis`], the sentinels for none unless
///   they are [guarded](Settings::with_guarded_sentinels).
/// - A master that is silent for half a second is replaced within some two seconds; one that comes
///   back becomes a replica.
/// - Each of them can be frozen, killed and restarted by itself; [`wait_ok`](Self::wait_ok) waits
///   for what the others make of it.
#[derive(Debug)]
pub struct SentinelSet {
    nodes: Vec<Server>,
    sentinels: Vec<Server>,
    guarded: bool,
}

impl SentinelSet {
    /// Starts the servers and the sentinels; returns when all know of each other.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Redis is not installed.
    pub fn redis(settings: &Settings) -> Result<Self> {
        const SENTINEL: Redis = Redis::REDIS.into_sentinel();
        Self::start(&Redis::REDIS, &SENTINEL, settings)
    }

    /// As [`redis`](Self::redis), with Valkey.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where Valkey is not installed.
    pub fn valkey(settings: &Settings) -> Result<Self> {
        const SENTINEL: Redis = Redis::VALKEY.into_sentinel();
        Self::start(&Redis::VALKEY, &SENTINEL, settings)
    }

    fn start(
        engine: &'static Redis,
        sentinel: &'static Redis,
        settings: &Settings,
    ) -> Result<Self> {
        let of_nodes = replication::settings(settings);
        let master = Prepared::new(engine, &of_nodes, None)?;
        let (port, tls) = (master.port(), master.tls().cloned());
        let of_replicas = of_nodes.with_option("replicaof", &format!("127.0.0.1 {port}"));
        let of_sentinels = sentinel_settings(settings, port);
        let several = |count, engine, settings| -> Result<Vec<Server>> {
            let prepared = (0..count).map(|_| Prepared::new(engine, settings, tls.as_ref()));
            Prepared::start_all(prepared.collect::<Result<_>>()?)
        };
        // Each looks for those before it once, and then only now and again.
        let mut nodes = vec![master.start()?];
        nodes.append(&mut several(2, engine, &of_replicas)?);
        wait_for_replicas(&nodes)?;
        let sentinels = several(3, sentinel, &of_sentinels)?;
        let set = Self {
            nodes,
            sentinels,
            guarded: settings.guarded_sentinels,
        };
        set.wait_ok()?;
        Ok(set)
    }

    /// The servers, whatever their parts are: at the start the first is the master.
    #[must_use]
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// The sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[Server] {
        &self.sentinels
    }

    /// What the sentinels call the master.
    #[must_use]
    pub const fn master_name(&self) -> &'static str {
        MASTER_NAME
    }

    /// The account that guarded sentinels ask for, and its password.
    #[must_use]
    pub const fn sentinel_account(&self) -> (&'static str, &'static str) {
        (SENTINEL_USER, SENTINEL_PASSWORD)
    }

    /// The store URL of a namespace: `redis+sentinel://USER:PASSWORD@SENTINEL,SENTINEL,SENTINEL/NAME`
    /// with `?namespace=NAMESPACE`, and with `&sentinel_user=USER&sentinel_password=PASSWORD` for
    /// guarded sentinels.
    #[must_use]
    pub fn url(&self, namespace: &str) -> String {
        let sentinels: Vec<_> = self.sentinels.iter().map(Server::address).collect();
        let (account, sentinels) = (credentials(), sentinels.join(","));
        let url =
            format!("redis+sentinel://{account}@{sentinels}/{MASTER_NAME}?namespace={namespace}");
        if !self.guarded {
            return url;
        }
        let password = utf8_percent_encode(SENTINEL_PASSWORD, NON_ALPHANUMERIC);
        format!("{url}&sentinel_user={SENTINEL_USER}&sentinel_password={password}")
    }

    /// The master, as the first sentinel that answers sees it.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if no sentinel answers.
    pub fn master(&self) -> Result<&Server> {
        let port = self
            .sentinels
            .iter()
            .filter(|sentinel| sentinel.is_awake())
            .find_map(|sentinel| master_port(sentinel).ok());
        self.nodes
            .iter()
            .find(|node| Some(node.port()) == port)
            .ok_or_else(|| Error::failed("no sentinel knows the master"))
    }

    /// Kills the master and gives it; a replica takes its place a while later.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if no sentinel answers.
    pub fn kill_master(&self) -> Result<&Server> {
        let master = self.master()?;
        master.kill()?;
        Ok(master)
    }

    /// Makes a replica the master while the master lives; returns when all is in order again.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if that does not come about within a minute.
    pub fn failover(&self) -> Result<()> {
        let before = self.master()?.port();
        // Refused while another one is under way, and as long as no replica is known to be good.
        processes::until_every(PAUSE, "a failover to begin", || {
            self.sentinels
                .iter()
                .any(|sentinel| tell(sentinel, &["SENTINEL", "FAILOVER", MASTER_NAME]).is_ok())
        })?;
        self.wait_for_another(before)
    }

    /// Waits until the sentinels have another master than the one at this port, and all is in order.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if that does not come about within a minute.
    pub fn wait_for_another(&self, before: u16) -> Result<()> {
        processes::until_every(PAUSE, "another master", || {
            self.master().is_ok_and(|master| master.port() != before)
        })?;
        self.wait_ok()
    }

    /// Waits until all that run, those that are frozen left out, are in order: the sentinels see the
    /// same master, it is one, and the other servers follow it.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if that does not come about within a minute.
    pub fn wait_ok(&self) -> Result<()> {
        let ok = || self.is_ok().unwrap_or(false);
        processes::until_every(PAUSE, "sentinels to agree and replicas to follow", ok)
    }

    fn is_ok(&self) -> Result<bool> {
        let awake = |server: &&Server| server.is_awake();
        let master = self.master()?.port();
        for sentinel in self.sentinels.iter().filter(awake) {
            if !sees_all(sentinel, master)? {
                return Ok(false);
            }
        }
        let nodes: Vec<_> = self.nodes.iter().filter(awake).collect();
        for node in &nodes {
            let in_place = match Role::of(node)? {
                Role::Master { .. } => node.port() == master,
                Role::Replica { of } => of == master,
            };
            if !in_place {
                return Ok(false);
            }
        }
        replication::is_complete(&nodes)
    }
}

/// Waits until all servers but one follow another.
fn wait_for_replicas(nodes: &[Server]) -> Result<()> {
    let nodes: Vec<_> = nodes.iter().collect();
    processes::until_every(PAUSE, "replicas to follow", || {
        replication::is_complete(&nodes).unwrap_or(false)
    })
}

/// The settings of a sentinel of the server at this port.
fn sentinel_settings(settings: &Settings, port: u16) -> Settings {
    let (down_after, failover) = if settings.patient {
        (15_000, 60_000)
    } else {
        (500, 2_000)
    };
    let mut of_sentinel = Settings {
        options: Vec::new(),
        ..settings.clone()
    };
    let name = MASTER_NAME;
    for option in [
        format!("monitor {name} 127.0.0.1 {port} 2"),
        format!("auth-user {name} {ADMIN}"),
        format!("auth-pass {name} {ADMIN_PASSWORD}"),
        format!("down-after-milliseconds {name} {down_after}"),
        format!("failover-timeout {name} {failover}"),
        format!("parallel-syncs {name} 2"),
        format!("sentinel-user {ADMIN}"),
        format!("sentinel-pass {ADMIN_PASSWORD}"),
    ] {
        of_sentinel = of_sentinel.with_option("sentinel", &option);
    }
    of_sentinel
}

fn tell(sentinel: &Server, command: &[&str]) -> Result<String> {
    let answer = sentinel.connect(Duration::from_secs(5))?.call(command)?;
    Ok(answer.to_string())
}

fn master_port(sentinel: &Server) -> Result<u16> {
    let mut connection = sentinel.connect(ASK_BOUND)?;
    let answer = connection.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME])?;
    let answer = answer.to_string();
    let port = answer.lines().nth(1).and_then(|port| port.parse().ok());
    port.ok_or_else(|| Error::failed("the sentinel knows no master"))
}

/// Whether the sentinel holds this for the master, finds nothing wrong with it, and knows of its
/// replicas and of the other sentinels.
fn sees_all(sentinel: &Server, master: u16) -> Result<bool> {
    let mut connection = sentinel.connect(ASK_BOUND)?;
    let answer = connection.call(&["SENTINEL", "MASTER", MASTER_NAME])?;
    let answer = answer.to_string();
    let lines: Vec<_> = answer.lines().collect();
    let is = |name: &str, value: &str| lines.chunks_exact(2).any(|pair| pair == [name, value]);
    Ok(is("port", &master.to_string())
        && is("flags", "master")
        && is("num-slaves", "2")
        && is("num-other-sentinels", "2"))
}
