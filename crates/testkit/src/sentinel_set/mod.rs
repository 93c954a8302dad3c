//! Redis servers that sentinels watch.

mod start;

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::engine::{SENTINEL_PASSWORD, SENTINEL_USER};
use crate::error::{Error, Result};
use crate::processes;
use crate::replication::{self, ASK_BOUND, PAUSE, Role};
use crate::server::{Server, credentials};

/// What the sentinels call the master.
const MASTER_NAME: &str = "token-store";

/// How often sentinels publish what they know, in milliseconds; Redis has 2,000.
const SHORT_PERIOD: &str = "200";
const LONG_PERIOD: &str = "1000";

/// A master, two replicas and three sentinels that put a replica in its place if it is lost.
///
/// # Behavior
///
/// - They ask for the application's account of [`Server::redis`], the sentinels for none unless
///   they are [guarded](crate::Settings::with_guarded_sentinels).
/// - A master that is silent for a second is replaced within some three seconds; one that comes
///   back becomes a replica.
/// - Each of them can be frozen, killed and restarted by itself; [`wait_ok`](Self::wait_ok) waits
///   for what the others make of it.
#[derive(Debug)]
pub struct SentinelSet {
    nodes: Vec<Server>,
    sentinels: Vec<Server>,
    /// Of guarded sentinels.
    password_file: Option<PathBuf>,
}

impl SentinelSet {
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
    /// with `?namespace=NAMESPACE`, and with `&sentinel_user=USER&sentinel_password_file=FILE` for
    /// guarded sentinels.
    #[must_use]
    pub fn url(&self, namespace: &str) -> String {
        let sentinels: Vec<_> = self.sentinels.iter().map(Server::address).collect();
        let (account, sentinels) = (credentials(), sentinels.join(","));
        let url =
            format!("redis+sentinel://{account}@{sentinels}/{MASTER_NAME}?namespace={namespace}");
        let Some(file) = &self.password_file else {
            return url;
        };
        let file = file.display().to_string();
        let file = utf8_percent_encode(&file, NON_ALPHANUMERIC);
        format!("{url}&sentinel_user={SENTINEL_USER}&sentinel_password_file={file}")
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
        self.wait_for_agreement()?;
        // Now they are right to make replicas of what they find, and need not wait long.
        self.publish_every(SHORT_PERIOD);
        let ok = || self.is_ok().unwrap_or(false);
        let settled = processes::until_every(PAUSE, "replicas to follow the master", ok);
        self.publish_every(LONG_PERIOD);
        settled
    }

    /// Waits until the sentinels see the same.
    fn wait_for_agreement(&self) -> Result<()> {
        let agree = || self.agree().unwrap_or(false);
        processes::until_every(PAUSE, "the sentinels to agree", agree)
    }

    fn agree(&self) -> Result<bool> {
        let master = self.master()?.port();
        let mut awake = self.sentinels.iter().filter(|sentinel| sentinel.is_awake());
        awake.try_fold(true, |agree, sentinel| {
            Ok(agree && sees_all(sentinel, master)?)
        })
    }

    /// How often the sentinels tell each other of the master, and, four times as long, how soon they
    /// make a replica of who takes itself for the master too: were that shorter than the second in
    /// which one sees to a failover, another would undo it.
    fn publish_every(&self, milliseconds: &str) {
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.is_awake()) {
            // One that dies meanwhile needs it no more.
            let _ = tell(
                sentinel,
                &["SENTINEL", "DEBUG", "PUBLISH-PERIOD", milliseconds],
            );
        }
    }

    fn is_ok(&self) -> Result<bool> {
        if !self.agree()? {
            return Ok(false);
        }
        let master = self.master()?.port();
        let nodes: Vec<_> = self.nodes.iter().filter(|node| node.is_awake()).collect();
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
