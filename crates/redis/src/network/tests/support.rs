//! What the tests share.

use std::time::Duration;

use redis::{Value, cmd};
use tokenkeep_backend::{Call, Cause, Effect, Failure, Outcome};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_testkit::{Cluster, SentinelSet, Server, Settings, require_or_tell};
use zeroize::Zeroizing;

use super::super::{Network, Slot};
use crate::options::{Address, Host, RedisOptions, SentinelServers, Servers};
use crate::script::PLACES;
use crate::shards::slot_of;

/// No test takes as long.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) fn redis() -> Option<Server> {
    require_or_tell(Server::redis(&Settings::new()))
}

pub(super) fn host(server: &Server) -> Host {
    let name = server.host().to_owned();
    let port = server.port();
    Host { name, port }
}

fn with_account(servers: Servers, server: &Server) -> RedisOptions {
    RedisOptions {
        user: Some(server.user().to_owned()),
        password: Some(Zeroizing::new(server.password().to_owned())),
        ..RedisOptions::new(servers)
    }
}

pub(super) fn options(server: &Server) -> RedisOptions {
    let address = Address::Tcp(host(server));
    with_account(Servers::Standalone(address), server)
}

pub(super) fn sentinel_options(set: &SentinelSet) -> RedisOptions {
    let servers = Servers::Sentinel(SentinelServers {
        sentinels: set.sentinels().iter().map(host).collect(),
        master: set.master_name().to_owned(),
        user: None,
        password: None,
    });
    with_account(servers, &set.nodes()[0])
}

pub(super) fn cluster_options(cluster: &Cluster) -> RedisOptions {
    let seeds = cluster.nodes().iter().map(host).collect();
    with_account(Servers::Cluster(seeds), &cluster.nodes()[0])
}

/// Lets everyone in, and gives the options of one who has no account: nothing needs to be said to such a
/// server before the first call.
pub(super) fn without_account(nodes: &[Server], options: RedisOptions) -> RedisOptions {
    for node in nodes {
        let all = ["on", "nopass", "~*", "&*", "+@all"];
        let set = ["ACL", "SETUSER", "default"].into_iter().chain(all);
        node.command(&set.collect::<Vec<_>>()).unwrap();
    }
    RedisOptions {
        user: None,
        password: None,
        ..options
    }
}

pub(super) async fn open(options: &RedisOptions) -> Network {
    Network::open(options).await.unwrap()
}

/// The error with which opening ends.
pub(super) async fn refusal(options: &RedisOptions) -> Error {
    Network::open(options).await.unwrap_err()
}

/// Opening ends with `Config`, in words that name this.
pub(super) async fn assert_config(options: &RedisOptions, part: &str) {
    let error = refusal(options).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

/// Everything that a test asks of the servers.
impl Network {
    pub(super) async fn get(&self, key: &str, timeout: Duration) -> Outcome<Value> {
        let mut command = cmd("GET");
        command.arg(key);
        let (call, slot) = (Call::within(timeout), Slot(slot_of(key.as_bytes())));
        self.command(&call, Effect::Reads, slot, &command).await
    }

    pub(super) async fn set(&self, key: &str, value: &str, timeout: Duration) -> Outcome<Value> {
        let mut command = cmd("SET");
        command.arg(key).arg(value);
        let (call, slot) = (Call::within(timeout), Slot(slot_of(key.as_bytes())));
        self.command(&call, Effect::Writes, slot, &command).await
    }

    /// Runs a script that counts up, and gives the number.
    pub(super) async fn count(&self, key: &str, timeout: Duration) -> Outcome<u64> {
        let (call, slot) = (Call::within(timeout), Slot(slot_of(key.as_bytes())));
        let (effect, arguments) = (Effect::Writes, [b"1".as_slice(), b"1"]);
        let answer = self.script(&call, effect, slot, &PLACES, key.as_bytes(), &arguments);
        match answer.await? {
            Value::BulkString(number) => Ok(std::str::from_utf8(&number).unwrap().parse().unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn text(value: &str) -> Value {
    Value::BulkString(value.as_bytes().to_vec())
}

pub(super) fn unavailable(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        Cause::Again | Cause::Refused(ErrorKind::Unavailable)
    )
}

/// The number of connections that applications have to a server.
pub(super) fn connections(server: &Server) -> usize {
    let clients = server.command(&["CLIENT", "LIST"]).unwrap();
    let user = format!("user={}", server.user());
    clients.lines().filter(|line| line.contains(&user)).count()
}

/// How often a server was asked this.
pub(super) fn calls(server: &Server, command: &str) -> u32 {
    let all = server.command(&["INFO", "commandstats"]).unwrap();
    let begin = format!("cmdstat_{command}:calls=");
    let count = all
        .lines()
        .find_map(|line| line.strip_prefix(&begin)?.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}
