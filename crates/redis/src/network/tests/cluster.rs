//! A Cluster whose nodes fail.

use std::time::{Duration, Instant};

use tokenkeep_backend::{Call, Cause, Effect, Outcome};
use tokenkeep_core::{ErrorKind, SystemClock};
use tokenkeep_testkit::{Cluster, Server, Settings, require_or_tell};

use super::support::{
    LONG, assert_config, calls, cluster_options, open, options, redis, refusal, unavailable,
    without_account,
};
use crate::network::Network;
use crate::options::{Host, Servers};
use crate::shards::slot_of;

const SECOND: Duration = Duration::from_secs(1);

fn cluster() -> Option<Cluster> {
    require_or_tell(Cluster::redis(3, 1, &Settings::new()))
}

/// A key that this node serves.
fn key_of(cluster: &Cluster, node: &Server) -> String {
    let is_its = |key: &String| {
        let master = cluster.master_of_slot(slot_of(key.as_bytes())).unwrap();
        master.port() == node.port()
    };
    (0..)
        .map(|number| format!("key{number}"))
        .find(is_its)
        .unwrap()
}

async fn count_again(network: &Network, key: &str) -> u64 {
    let began = Instant::now();
    loop {
        match network.count(key, 10 * SECOND).await {
            Ok(number) => return number,
            Err(failure) => {
                let is_expected = unavailable(&failure) || failure.cause == Cause::Lost;
                assert!(is_expected, "{failure:?}");
                assert!(began.elapsed() < LONG, "{failure:?}");
            }
        }
    }
}

#[tokio::test]
async fn each_slot_is_asked_for_where_it_is() {
    let Some(cluster) = cluster() else { return };
    let network = open(&cluster_options(&cluster)).await;
    for number in 0..100 {
        let key = format!("key{number}");
        assert_eq!(network.count(&key, LONG).await.unwrap(), 1);
    }
    let masters = network.masters(&Call::within(LONG)).await.unwrap();
    assert_eq!(masters.len(), 3);
    let mut total = 0;
    for master in &masters {
        let (call, size) = (Call::within(LONG), redis::cmd("DBSIZE"));
        match master.command(&call, Effect::Reads, &size).await.unwrap() {
            redis::Value::Int(count) => total += count,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(total, 100);
}

#[tokio::test]
async fn a_master_that_is_killed_is_replaced() {
    let Some(cluster) = cluster() else { return };
    let careful = open(&cluster_options(&cluster)).await;
    let mut options = cluster_options(&cluster);
    // The successor has no replica of its own.
    options.replicas = Some(0);
    let network = open(&options).await;
    let master = &cluster.nodes()[0];
    let key = key_of(&cluster, master);
    assert_eq!(careful.count(&key, LONG).await.unwrap(), 1);
    master.kill().unwrap();
    let second = count_again(&network, &key).await;
    assert!(second >= 2);
    let doubt = careful.count(&key, 10 * SECOND).await.unwrap_err();
    assert_eq!(doubt.cause, Cause::Lost, "{}", doubt.message);
    // It comes back as a replica.
    master.restart().unwrap();
    cluster.wait_ok().unwrap();
    assert!(count_again(&careful, &key).await > second);
}

#[tokio::test]
async fn a_frozen_master_is_replaced_and_inspected_no_more() {
    let Some(cluster) = cluster() else { return };
    let mut options = without_account(cluster.nodes(), cluster_options(&cluster));
    options.timeout = 2 * SECOND;
    options.replicas = Some(0);
    let network = open(&options).await;
    let idle = open(&options).await;
    let master = &cluster.nodes()[0];
    let key = key_of(&cluster, master);
    let replica = cluster.replica_of(master).unwrap().address();
    network.count(&key, LONG).await.unwrap();
    assert!(inspect(&idle).await.unwrap().contains(&master.address()));
    master.freeze().unwrap();
    let lost = network.count(&key, SECOND).await.unwrap_err();
    assert_eq!(lost.cause, Cause::Lost, "{}", lost.message);
    count_again(&network, &key).await;
    // Nothing but inspections goes over this one.
    let began = Instant::now();
    while !inspect(&idle).await.is_ok_and(|at| at.contains(&replica)) {
        assert!(began.elapsed() < LONG);
    }
    master.thaw();
}

/// Where the masters are.
async fn inspect(network: &Network) -> Outcome<String> {
    let call = Call::within(2 * SECOND);
    let inspected = network.inspect(&call, &SystemClock).await;
    inspected.map(|inspection| inspection.location)
}

#[tokio::test]
async fn a_failover_that_is_asked_for_loses_nothing() {
    let Some(cluster) = cluster() else { return };
    let network = open(&cluster_options(&cluster)).await;
    let master = &cluster.nodes()[0];
    let key = key_of(&cluster, master);
    assert_eq!(network.count(&key, LONG).await.unwrap(), 1);
    cluster
        .failover(cluster.replica_of(master).unwrap())
        .unwrap();
    assert_eq!(network.count(&key, LONG).await.unwrap(), 2);
}

#[tokio::test]
async fn a_frozen_node_holds_up_nobody_else() {
    let settings = Settings::new().patient();
    let Some(cluster) = require_or_tell(Cluster::redis(3, 1, &settings)) else {
        return;
    };
    let network = open(&cluster_options(&cluster)).await;
    let (frozen, other) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    let (silent, answered) = (key_of(&cluster, frozen), key_of(&cluster, other));
    for key in [&silent, &answered] {
        assert_eq!(network.count(key, LONG).await.unwrap(), 1);
    }
    frozen.freeze().unwrap();
    let waiting = network.count(&silent, 2 * SECOND);
    let working = async {
        let began = Instant::now();
        for _ in 0..100 {
            network.count(&answered, LONG).await.unwrap();
        }
        began.elapsed()
    };
    let began = Instant::now();
    let (lost, took) = tokio::join!(waiting, working);
    assert_eq!(lost.unwrap_err().cause, Cause::Lost);
    assert!(took < 2 * SECOND, "{took:?}");
    assert!(began.elapsed() < 5 * SECOND);
    // Now that it is known to be silent, others are still as fast.
    let (read, more) = tokio::join!(
        network.get(&silent, SECOND),
        network.count(&answered, SECOND)
    );
    assert!(read.is_err_and(|failure| unavailable(&failure) || failure.cause == Cause::Lost));
    assert_eq!(more.unwrap(), 102);
    frozen.thaw();
}

#[tokio::test]
async fn seeds_that_are_gone_do_not_matter_where_one_answers() {
    let Some(cluster) = cluster() else { return };
    let mut options = cluster_options(&cluster);
    let nowhere = |port| Host {
        name: "127.0.0.1".to_owned(),
        port,
    };
    let Servers::Cluster(seeds) = &mut options.servers else {
        panic!("a Cluster");
    };
    let last = seeds.pop().unwrap();
    *seeds = vec![nowhere(1), last.clone()];
    assert_eq!(open(&options).await.count("a", LONG).await.unwrap(), 1);
    options.servers = Servers::Cluster(vec![nowhere(1), nowhere(2)]);
    let error = refusal(&options).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn nodes_may_announce_names_or_nothing_at_all() {
    for (kind, name) in [("hostname", "localhost"), ("unknown-endpoint", "")] {
        let settings = Settings::new()
            .with_option("cluster-announce-hostname", "localhost")
            .with_option("cluster-preferred-endpoint-type", kind);
        let Some(cluster) = require_or_tell(Cluster::redis(3, 0, &settings)) else {
            return;
        };
        let mut options = cluster_options(&cluster);
        options.replicas = Some(0);
        let network = open(&options).await;
        for number in 0..30 {
            let key = format!("key{number}");
            assert_eq!(network.count(&key, LONG).await.unwrap(), 1, "{kind} {name}");
        }
    }
}

#[tokio::test]
async fn nodes_are_encrypted_too() {
    let Some(cluster) = require_or_tell(Cluster::redis(3, 0, &Settings::new().with_tls())) else {
        return;
    };
    let mut options = cluster_options(&cluster);
    options.replicas = Some(0);
    options.tls.mode = tokenkeep_backend::TlsMode::VerifyFull;
    options.tls.ca = Some(cluster.nodes()[0].tls().unwrap().ca.clone());
    // Each node of the test kit may have an authority of its own.
    if cluster.nodes()[1].tls().unwrap().ca != cluster.nodes()[0].tls().unwrap().ca {
        options.tls.mode = tokenkeep_backend::TlsMode::Require;
    }
    let network = open(&options).await;
    for number in 0..30 {
        assert_eq!(
            network.count(&format!("key{number}"), LONG).await.unwrap(),
            1
        );
    }
}

#[tokio::test]
async fn what_is_no_cluster_is_refused_and_what_has_no_replicas_writes_in_doubt() {
    let Some(server) = redis() else { return };
    let mut alone = options(&server);
    alone.servers = Servers::Cluster(vec![super::support::host(&server)]);
    assert_config(&alone, "cluster support disabled").await;
    let Some(cluster) = require_or_tell(Cluster::redis(3, 0, &Settings::new())) else {
        return;
    };
    let network = open(&cluster_options(&cluster)).await;
    let doubt = network.count("a", 4 * SECOND).await.unwrap_err();
    assert_eq!(doubt.cause, Cause::Lost);
    assert!(doubt.message.contains("replicas=0"), "{}", doubt.message);
    let inspection = network.inspect(&Call::within(LONG), &SystemClock).await;
    let warnings = inspection.unwrap().warnings.concat();
    assert!(warnings.contains("replicas=1 needs more"), "{warnings}");
}

#[tokio::test]
async fn a_cluster_that_lacks_a_master_is_opened_all_the_same() {
    let settings = Settings::new()
        .patient()
        .with_option("cluster-require-full-coverage", "no");
    let Some(cluster) = require_or_tell(Cluster::redis(3, 0, &settings)) else {
        return;
    };
    let mut options = cluster_options(&cluster);
    options.replicas = Some(0);
    options.timeout = 2 * SECOND;
    let [frozen, killed, left] = cluster.nodes() else {
        panic!("three nodes");
    };
    let key = key_of(&cluster, left);
    frozen.freeze().unwrap();
    assert_eq!(open(&options).await.count(&key, LONG).await.unwrap(), 1);
    frozen.thaw();
    killed.kill().unwrap();
    assert_eq!(open(&options).await.count(&key, LONG).await.unwrap(), 2);
}

/// Calls that each find a master gone do not each ask the others who took over.
#[tokio::test]
async fn a_cluster_is_not_flooded_while_a_master_is_gone() {
    let settings = Settings::new()
        .patient()
        .with_option("cluster-require-full-coverage", "no");
    let Some(cluster) = require_or_tell(Cluster::redis(3, 0, &settings)) else {
        return;
    };
    let mut options = cluster_options(&cluster);
    options.replicas = Some(0);
    let network = open(&options).await;
    let [killed, others @ ..] = cluster.nodes() else {
        panic!("three nodes");
    };
    let key = key_of(&cluster, killed);
    network.count(&key, LONG).await.unwrap();
    killed.kill().unwrap();
    let asked = || others.iter().map(|node| calls(node, "cluster|slots")).max();
    let (before, began) = (asked().unwrap(), Instant::now());
    let reads = (0..16).map(|_| network.get(&key, 2 * SECOND));
    let outcomes = futures::future::join_all(reads).await;
    assert!(outcomes.iter().all(Result::is_err));
    let most = began.elapsed().as_millis() / 100 + 10;
    let asked = asked().unwrap() - before;
    assert!(u128::from(asked) < most, "{asked} times, not {most}");
}
