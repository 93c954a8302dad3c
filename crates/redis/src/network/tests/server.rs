//! One server that works.

use futures::future::try_join_all;
use redis::Value;
use tokenkeep_backend::{Call, Effect};
use tokenkeep_testkit::{Cluster, Server, Settings, require_or_tell};

use super::support::{LONG, assert_config, connections, open, options, redis, text};
use crate::options::{Address, Servers};

#[tokio::test]
async fn commands_and_scripts_are_executed() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    assert_eq!(network.get("a", LONG).await.unwrap(), Value::Nil);
    assert_eq!(network.set("a", "1", LONG).await.unwrap(), Value::Okay);
    assert_eq!(network.get("a", LONG).await.unwrap(), text("1"));
    assert_eq!(network.count("b", LONG).await.unwrap(), 1);
    assert_eq!(network.count("b", LONG).await.unwrap(), 2);
}

#[tokio::test]
async fn valkey_is_as_good() {
    let Some(server) = require_or_tell(Server::valkey(&Settings::new())) else {
        return;
    };
    let network = open(&options(&server)).await;
    assert_eq!(network.count("b", LONG).await.unwrap(), 1);
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_sent_once_more() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    server.command(&["SCRIPT", "FLUSH"]).unwrap();
    assert_eq!(network.count("a", LONG).await.unwrap(), 2);
    let known = server.command(&["INFO", "memory"]).unwrap();
    assert!(known.contains("number_of_cached_scripts:1"), "{known}");
}

#[tokio::test]
async fn a_unix_socket_is_a_way_too() {
    let Some(server) = redis() else { return };
    let mut options = options(&server);
    options.servers = Servers::Standalone(Address::Unix(server.socket()));
    options.database = 7;
    let network = open(&options).await;
    network.set("a", "1", LONG).await.unwrap();
    let keys = server.command(&["INFO", "keyspace"]).unwrap();
    assert!(keys.contains("db7:keys=1"), "{keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_the_connections_that_the_options_say() {
    let Some(server) = redis() else { return };
    for wanted in [1, 3] {
        let mut options = options(&server);
        options.connections = wanted;
        let network = open(&options).await;
        let calls = (0..2_000).map(|_| network.count("a", LONG));
        try_join_all(calls).await.unwrap();
        assert_eq!(connections(&server), wanted as usize);
    }
    assert_eq!(
        open(&options(&server))
            .await
            .count("a", LONG)
            .await
            .unwrap(),
        4_001
    );
}

#[tokio::test]
async fn a_call_that_is_dropped_disturbs_nobody() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    for _ in 0..100 {
        let mut dropped = Box::pin(network.count("a", LONG));
        assert!(futures::poll!(&mut dropped).is_pending());
        drop(dropped);
        assert_eq!(network.get("none", LONG).await.unwrap(), Value::Nil);
    }
    assert_eq!(connections(&server), 1);
}

#[tokio::test]
async fn every_master_is_the_one_server() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    network.set("a", "1", LONG).await.unwrap();
    let masters = network.masters(&Call::within(LONG)).await.unwrap();
    let size = redis::cmd("DBSIZE");
    let call = Call::within(LONG);
    for master in &masters {
        let answer = master.command(&call, Effect::Reads, &size).await.unwrap();
        assert_eq!(answer, Value::Int(1));
    }
    assert_eq!(masters.len(), 1);
}

#[tokio::test]
async fn what_is_no_single_master_is_refused() {
    let Some(server) = redis() else { return };
    let Some(other) = redis() else { return };
    let (host, port) = (server.host(), server.port().to_string());
    other.command(&["REPLICAOF", host, &port]).unwrap();
    assert_config(&options(&other), "replica").await;
    let Some(cluster) = require_or_tell(Cluster::redis(1, 0, &Settings::new())) else {
        return;
    };
    assert_config(&options(&cluster.nodes()[0]), "Cluster").await;
}
