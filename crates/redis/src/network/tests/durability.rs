//! How servers write to disk, and what of that is waited for.

use tokenkeep_backend::Cause;
use tokenkeep_core::{Durability, ErrorKind};
use tokenkeep_testkit::{SentinelSet, Server, Settings, require_or_tell};

use super::support::{
    LONG, assert_config, calls, host, open, options, redis, sentinel_options, text,
};
use crate::network::Network;
use crate::network::acknowledgement::Acknowledgement;
use crate::network::dial::Dialer;
use crate::network::node::Node;
use crate::network::standalone::Standalone;
use crate::network::terms::Terms;
use crate::network::topology::Topology;
use crate::options::{Address, RedisOptions};

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

/// The name may stand for another server by now, or for the same with other settings.
#[tokio::test]
async fn a_server_that_is_found_anew_is_asked_anew() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    network.count("a", LONG).await.unwrap();
    for command in [
        &["CONFIG", "SET", "appendfsync", "everysec"][..],
        &["CLIENT", "KILL", "TYPE", "normal"],
    ] {
        server.command(command).unwrap();
    }
    let failure = loop {
        let failure = network.count("a", LONG).await.unwrap_err();
        // It may go over the connection that ends.
        if failure.cause != Cause::Lost {
            break failure;
        }
    };
    let expected = Cause::Refused(ErrorKind::Config);
    assert_eq!(failure.cause, expected, "{}", failure.message);
    assert!(failure.message.contains("appendfsync everysec"));
    server
        .command(&["CONFIG", "SET", "appendfsync", "always"])
        .unwrap();
    assert_eq!(network.count("a", LONG).await.unwrap(), 2);
}
