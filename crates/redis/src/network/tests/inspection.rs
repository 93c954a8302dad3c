//! What `check` tells of the servers.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_backend::Call;
use tokenkeep_core::{Clock, Durability, ManualClock, SystemClock};
use tokenkeep_testkit::{Cluster, Server, Settings, require_or_tell};

use super::support::{LONG, cluster_options, open, options, redis};
use crate::network::Network;
use crate::network::inspect::Inspection;

async fn inspect(network: &Network) -> Inspection {
    inspect_at(network, &SystemClock).await
}

async fn inspect_at(network: &Network, clock: &dyn Clock) -> Inspection {
    network.inspect(&Call::within(LONG), clock).await.unwrap()
}

fn assert_warns(inspection: &Inspection, part: &str) {
    let warnings = &inspection.warnings;
    let mut lines = warnings.iter();
    assert!(
        lines.any(|warning| warning.contains(part)),
        "{part}: {warnings:?}"
    );
}

#[tokio::test]
async fn a_server_in_order_gives_no_cause_for_warning() {
    let Some(server) = redis() else { return };
    let mut options = options(&server);
    options.database = 3;
    let inspection = inspect(&open(&options).await).await;
    assert!(inspection.warnings.is_empty(), "{:?}", inspection.warnings);
    assert_eq!(inspection.location, format!("{}/3", server.address()));
    let version = inspection.version.strip_prefix("Redis 7.");
    assert!(version.is_some(), "{}", inspection.version);
}

#[tokio::test]
async fn what_can_lose_tokens_is_warned_of() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    for (name, value, part) in [
        (
            "maxmemory-policy",
            "volatile-lru",
            "volatile-lru can drop tokens",
        ),
        (
            "maxmemory-policy",
            "allkeys-lfu",
            "allkeys-lfu can drop tokens",
        ),
        (
            "no-appendfsync-on-rewrite",
            "yes",
            "has no-appendfsync-on-rewrite yes",
        ),
        ("appendfsync", "everysec", "appendfsync everysec"),
        ("appendonly", "no", "a crash of the server loses everything"),
        ("save", "3600 1", "since its last snapshot"),
    ] {
        server.command(&["CONFIG", "SET", name, value]).unwrap();
        assert_warns(&inspect(&network).await, part);
    }
    let mut relaxed = options(&server);
    relaxed.durability = Durability::Relaxed;
    server
        .command(&["CONFIG", "SET", "appendonly", "yes"])
        .unwrap();
    let inspection = inspect(&open(&relaxed).await).await;
    assert_warns(&inspection, "loses up to a second of writes");
}

#[tokio::test]
async fn a_clock_that_differs_is_warned_of() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    let now = SystemClock.now();
    for (clock, is_far) in [
        (now.saturating_add(Duration::from_secs(100)), true),
        (now.saturating_sub(Duration::from_secs(100)), true),
        (now, false),
    ] {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(clock));
        let warnings = inspect_at(&network, &*clock).await.warnings;
        let named = warnings.iter().any(|warning| warning.contains("clock"));
        assert_eq!(named, is_far, "{warnings:?}");
    }
}

/// It reads its log in the name of the default account, which may not do what it finds there.
#[tokio::test]
async fn writes_that_were_left_out_at_a_restart_are_warned_of() {
    let settings = Settings::new().with_option("enable-debug-command", "yes");
    for server in [Server::redis(&settings), Server::valkey(&settings)] {
        let Some(server) = require_or_tell(server) else {
            return;
        };
        let network = open(&options(&server)).await;
        let twice = "redis.call('SET', KEYS[1], '1') redis.call('SET', KEYS[1], '2')";
        server.command(&["EVAL", twice, "1", "a"]).unwrap();
        let before = inspect(&network).await.warnings;
        assert!(before.is_empty(), "{before:?}");
        for command in [
            &["ACL", "SETUSER", "default", "off", "-@all"][..],
            &["DEBUG", "LOADAOF"],
        ] {
            server.command(command).unwrap();
        }
        assert_eq!(network.get("a", LONG).await.unwrap(), redis::Value::Nil);
        assert_warns(&inspect(&network).await, "the account named default");
    }
}

#[tokio::test]
async fn a_cluster_tells_of_every_master() {
    let settings = Settings::new().patient();
    let Some(cluster) = require_or_tell(Cluster::valkey(3, 1, &settings)) else {
        return;
    };
    let network = open(&cluster_options(&cluster)).await;
    let inspection = inspect(&network).await;
    assert!(
        inspection.version.starts_with("Valkey "),
        "{}",
        inspection.version
    );
    let mut places: Vec<_> = cluster
        .masters()
        .unwrap()
        .into_iter()
        .map(Server::address)
        .collect();
    places.sort_unstable();
    assert_eq!(inspection.location, places.join(", "));
    assert_warns(&inspection, "min-replicas-to-write is 0");
}
