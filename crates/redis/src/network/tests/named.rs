//! Failures that say which server it was.

use std::time::Duration;

use tokenkeep_backend::Failure;
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::{Cluster, SentinelSet, Server, Settings, require_or_tell};

use super::support::{
    LONG, assert_config, cluster_options, host, open, options, redis, refusal, sentinel_options,
};
use crate::options::Servers;

const SECOND: Duration = Duration::from_secs(1);

/// It names the server, once.
fn assert_names(failure: &Failure, server: &Server, part: &str) {
    let text = &failure.message;
    let count = text.matches(&server.address()).count();
    assert!(count == 1 && text.contains(part), "{text}");
}

#[tokio::test]
async fn what_a_server_refuses() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    server.command(&["HSET", "hash", "field", "1"]).unwrap();
    let failure = network.get("hash", LONG).await.unwrap_err();
    assert_names(&failure, &server, "WRONGTYPE");
    server
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .unwrap();
    let failure = network.set("a", "1", LONG).await.unwrap_err();
    assert_names(&failure, &server, "OOM");
}

#[tokio::test]
async fn a_connection_that_breaks() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    network.count("a", LONG).await.unwrap();
    server.freeze().unwrap();
    let killing = async {
        // The other future was polled, and has sent what it had to.
        server.kill().unwrap();
    };
    let (outcome, ()) = futures::join!(network.count("a", LONG), killing);
    assert_names(&outcome.unwrap_err(), &server, "");
}

#[tokio::test]
async fn a_server_that_gives_no_answer() {
    let Some(server) = redis() else { return };
    let Some(cluster) = require_or_tell(Cluster::redis(1, 0, &Settings::new().patient())) else {
        return;
    };
    let mut on_cluster = cluster_options(&cluster);
    on_cluster.replicas = Some(0);
    for (options, server) in [
        (options(&server), &server),
        (on_cluster, &cluster.nodes()[0]),
    ] {
        let network = open(&options).await;
        network.count("a", LONG).await.unwrap();
        server.freeze().unwrap();
        let failure = network.count("a", SECOND / 4).await.unwrap_err();
        assert_names(&failure, server, "did not answer in time");
        server.thaw();
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_used_at_all() {
    let Some(server) = redis() else { return };
    let Some(replica) = redis() else { return };
    let (name, port) = (server.host(), server.port().to_string());
    replica.command(&["REPLICAOF", name, &port]).unwrap();
    assert_config(&options(&replica), &format!("{}: the ", replica.address())).await;
    let mut alone = options(&server);
    server
        .command(&["CONFIG", "SET", "appendfsync", "everysec"])
        .unwrap();
    assert_config(&alone, &format!("{}: the ", server.address())).await;
    alone.durability = tokenkeep_core::Durability::Relaxed;
    alone.replicas = Some(3);
    assert_config(&alone, &format!("{}: replicas=3", server.address())).await;
}

#[tokio::test]
async fn a_master_that_refuses_and_a_sentinel_that_cannot_help() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let good = sentinel_options(&set);
    let network = open(&good).await;
    let master = set.master().unwrap();
    master
        .command(&["CONFIG", "SET", "min-replicas-to-write", "3"])
        .unwrap();
    let failure = network.set("a", "1", 2 * SECOND).await.unwrap_err();
    assert_names(&failure, master, "NOREPLICAS");
    let mut wrong = good.clone();
    if let Servers::Sentinel(servers) = &mut wrong.servers {
        servers.master = "nobody".to_owned();
        servers.sentinels.truncate(1);
    }
    let sentinel = set.sentinels()[0].address();
    assert_config(&wrong, &format!("{sentinel}: it knows no master nobody")).await;
    if let Servers::Sentinel(servers) = &mut wrong.servers {
        servers.sentinels = vec![host(master)];
        servers.user = Some(master.user().to_owned());
        servers.password = Some(master.password().to_owned().into());
    }
    let expected = format!("{}: the server answered", master.address());
    assert_config(&wrong, &expected).await;
    let error = refusal(&wrong).await;
    assert!(error.to_string().contains("it is no sentinel"), "{error}");
}

/// Sentinels that were not told yet of a failover, or told wrong things, name a server that is none.
#[tokio::test]
async fn a_master_that_is_none_yet() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let Some(other) = redis() else { return };
    let master = set.master().unwrap();
    let (name, port) = (other.host(), other.port().to_string());
    master.command(&["REPLICAOF", name, &port]).unwrap();
    let mut options = sentinel_options(&set);
    // With more no server would be waited for any longer.
    options.timeout = 8 * SECOND;
    let error = refusal(&options).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("{}: ", master.address())) && text.contains("none yet"),
        "{text}"
    );
}

#[tokio::test]
async fn a_master_that_has_too_few_replicas() {
    let Some(cluster) = require_or_tell(Cluster::redis(1, 0, &Settings::new().patient())) else {
        return;
    };
    let network = open(&cluster_options(&cluster)).await;
    let failure = network.count("a", 2 * SECOND).await.unwrap_err();
    assert_names(&failure, &cluster.nodes()[0], "0 of replicas=1");
}
