//! What writes wait for.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use redis::Value;
use tokenkeep_backend::{Call, Cause, Effect, Outcome};
use tokenkeep_core::Durability;
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::{SentinelSet, Server, Settings, require_or_tell};

use super::support::{
    LONG, assert_config, calls, connections, host, open, options, redis, sentinel_options, text,
};
use crate::network::acknowledgement::Acknowledgement;
use crate::network::dial::Dialer;
use crate::network::node::Node;
use crate::network::standalone::Standalone;
use crate::network::terms::Terms;
use crate::network::topology::Topology;
use crate::network::{Network, Slot};
use crate::options::{Address, RedisOptions};
use crate::script::DELETE;

const SECOND: Duration = Duration::from_secs(1);

fn redis_with(name: &str, value: &str) -> Option<Server> {
    require_or_tell(Server::redis(&Settings::new().with_option(name, value)))
}

fn relaxed(server: &Server) -> RedisOptions {
    RedisOptions {
        durability: Durability::Relaxed,
        ..options(server)
    }
}

#[tokio::test]
async fn what_the_server_does_not_write_at_once_is_not_sync() {
    for (name, value) in [
        ("appendfsync", "everysec"),
        ("appendfsync", "no"),
        ("no-appendfsync-on-rewrite", "yes"),
        ("appendonly", "no"),
    ] {
        let Some(server) = redis_with(name, value) else {
            return;
        };
        assert_config(&options(&server), "durability=relaxed").await;
        assert_eq!(
            open(&relaxed(&server))
                .await
                .count("a", LONG)
                .await
                .unwrap(),
            1
        );
    }
}

/// It answers `WAITAOF` before it has written to disk, so that waiting for it says nothing.
#[tokio::test]
async fn a_server_that_answers_too_early_is_not_sync() {
    for (name, value, part) in [
        ("appendfsync", "everysec", "Valkey answer WAITAOF before"),
        ("appendfsync", "no", "appendfsync no"),
        ("no-appendfsync-on-rewrite", "yes", "-on-rewrite yes"),
        ("appendonly", "no", "append-only"),
    ] {
        let settings = Settings::new().with_option(name, value);
        let Some(server) = require_or_tell(Server::valkey(&settings)) else {
            return;
        };
        assert_config(&options(&server), part).await;
        let network = open(&relaxed(&server)).await;
        assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    }
}

/// The servers of an open store whose writes wait for the disk, whichever they are.
fn waiting_for_disk(server: &Server) -> Network {
    let options = options(server);
    let (user, password) = (options.user.as_deref(), options.password.as_ref());
    let dialer = Dialer::new(user, password, 0, &options.tls, LONG);
    let terms = Terms::new(dialer, 1, false);
    let awaited = Acknowledgement::Disk { replicas: 0 };
    terms.acknowledgement.set(awaited).unwrap();
    let node = Node::new(&terms, Address::Tcp(host(server)));
    let servers = Topology::Standalone(Standalone::new(node));
    Network { options, servers }
}

/// It has the command, though it answers early; what is waited for is seen in its statistics.
#[tokio::test]
async fn writes_wait_for_the_disk_and_reads_do_not() {
    let settings = Settings::new().with_option("appendfsync", "everysec");
    let Some(server) = require_or_tell(Server::valkey(&settings)) else {
        return;
    };
    let network = waiting_for_disk(&server);
    let mut waits = 0;
    for count in 1..4 {
        assert_eq!(network.count("a", LONG).await.unwrap(), count);
        let before = std::mem::replace(&mut waits, calls(&server, "waitaof"));
        assert!(waits > before, "{waits} after {before}");
    }
    assert_eq!(network.get("a", LONG).await.unwrap(), text("3"));
    assert_eq!(calls(&server, "waitaof"), waits);
    server
        .command(&["CONFIG", "SET", "appendonly", "no"])
        .unwrap();
    let failure = network.count("a", LONG).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Lost, "{}", failure.message);
}

#[tokio::test]
async fn an_account_that_may_not_ask_is_told_so() {
    for server in [
        Server::redis(&Settings::new()),
        Server::valkey(&Settings::new()),
    ] {
        let Some(server) = require_or_tell(server) else {
            return;
        };
        let account = server.user().to_owned();
        server
            .command(&["ACL", "SETUSER", &account, "-config"])
            .unwrap();
        assert_config(&options(&server), "CONFIG GET").await;
    }
}

#[tokio::test]
async fn replicas_that_are_not_there_are_not_waited_for() {
    let Some(server) = redis() else { return };
    let mut options = options(&server);
    options.replicas = Some(1);
    assert_config(&options, "replicas=0").await;
}

#[tokio::test]
async fn a_write_that_too_few_replicas_have_is_in_doubt() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let mut options = sentinel_options(&set);
    options.replicas = Some(2);
    let network = open(&options).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    let frozen = &set.nodes()[1];
    frozen.freeze().unwrap();
    let began = Instant::now();
    let failure = network.count("a", SECOND).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Lost, "{}", failure.message);
    assert!(
        failure.message.contains("1 of replicas=2"),
        "{}",
        failure.message
    );
    assert!(began.elapsed() < 5 * SECOND);
    // Reads do not wait behind it.
    let began = Instant::now();
    let (writes, read) = tokio::join!(
        futures::future::join_all((0..20).map(|_| network.count("a", SECOND))),
        network.get("a", SECOND)
    );
    assert_eq!(read.unwrap(), text("2"));
    assert!(writes.iter().all(Result::is_err));
    assert!(began.elapsed() < 5 * SECOND);
    frozen.thaw();
    network.count("a", LONG).await.unwrap();
}

#[tokio::test]
async fn a_master_that_came_later_is_asked_too() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let mut options = sentinel_options(&set);
    // Either may take over.
    options.replicas = Some(2);
    let network = open(&options).await;
    network.count("a", LONG).await.unwrap();
    let before = set.master().unwrap().port();
    let set_fsync = |value: &str| {
        let later = set.nodes().iter().filter(|node| node.port() != before);
        for node in later {
            node.command(&["CONFIG", "SET", "appendfsync", value])
                .unwrap();
        }
    };
    set_fsync("everysec");
    set.failover().unwrap();
    // A read finds the way to the new master; a write that the old one cuts off would be in doubt.
    assert_eq!(network.get("a", LONG).await.unwrap(), text("1"));
    let failure = network.count("a", LONG).await.unwrap_err();
    assert_eq!(
        failure.cause,
        Cause::Refused(ErrorKind::Config),
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains("appendfsync everysec"),
        "{}",
        failure.message
    );
    assert_eq!(network.get("a", LONG).await.unwrap(), text("1"));
    set_fsync("always");
    assert_eq!(network.count("a", LONG).await.unwrap(), 2);
}

/// That there is no token rests on what others did, on whichever connection.
#[tokio::test]
async fn an_answer_that_rests_on_anothers_write_waits_for_that_too() {
    let settings = Settings::new().patient();
    for set in [
        SentinelSet::redis(&settings),
        SentinelSet::valkey(&settings),
    ] {
        let Some(set) = require_or_tell(set) else {
            return;
        };
        let network = open(&sentinel_options(&set)).await;
        assert_eq!(delete_nothing(&network, LONG).await.unwrap(), nothing());
        let master = set.master().unwrap();
        let replicas = || {
            set.nodes()
                .iter()
                .filter(|node| node.port() != master.port())
        };
        replicas().for_each(|replica| replica.freeze().unwrap());
        master.command(&["SET", "another", "1"]).unwrap();
        let failure = delete_nothing(&network, SECOND).await.unwrap_err();
        assert_eq!(failure.cause, Cause::Lost, "{}", failure.message);
        assert!(
            failure.message.contains("replicas=0"),
            "{}",
            failure.message
        );
        replicas().for_each(Server::thaw);
        assert_eq!(delete_nothing(&network, LONG).await.unwrap(), nothing());
        assert_eq!(master.command(&["DBSIZE"]).unwrap(), "1");
    }
}

fn nothing() -> Value {
    Value::Array(vec![Value::Array(vec![Value::Int(0)])])
}

/// Revokes a token that is not there.
async fn delete_nothing(network: &Network, timeout: Duration) -> Outcome<Value> {
    let (call, effect, slot) = (Call::within(timeout), Effect::Writes, Slot(0));
    let arguments = [b"t:{0}:", &[0; 8][..], &[0; 8], b"1", b"1", &[7; 32], b""];
    let answer = network.script(&call, effect, slot, &DELETE, b"t:{0}:none", &arguments);
    answer.await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_share_their_waits() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let network = open(&sentinel_options(&set)).await;
    let counted = try_join_all((0..1_000).map(|_| network.count("a", LONG))).await;
    let mut counted = counted.unwrap();
    counted.sort_unstable();
    assert_eq!(counted, (1..=1_000).collect::<Vec<_>>());
    let master = set.master().unwrap();
    let waits = calls(master, "wait");
    assert!((1..=200).contains(&waits), "{waits}");
    assert!(connections(master) <= 6);
}

#[tokio::test]
async fn a_refused_write_is_not_waited_for_in_doubt() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let network = open(&sentinel_options(&set)).await;
    let master = set.master().unwrap();
    master
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .unwrap();
    let failure = network.set("a", "1", LONG).await.unwrap_err();
    assert!(failure.message.contains("OOM"), "{}", failure.message);
    assert!(matches!(failure.cause, Cause::Refused(_)));
}
