//! Stores that are made, found, refused and removed.

use std::time::Duration;

use futures::future::join_all;
use tokenkeep_core::{ErrorKind, PageRequest, TokenDriver};
use tokenkeep_redis::{RedisOptions, drop_namespace};
use tokenkeep_testkit::{Cluster, Server, Settings, require_or_tell};

use crate::keys::keys;
use crate::support::{
    cluster_options, of_user, open, options, record, shared_cluster, shared_server, system_clock,
};

async fn refused(options: &RedisOptions) -> String {
    let refused = tokenkeep_redis::open(options, system_clock()).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

/// Each takes the other's cursors, so they have one store.
#[tokio::test(flavor = "multi_thread")]
async fn ten_that_open_at_once_have_one_store() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let options = cluster_options(cluster, "ten");
    let drivers = join_all((0..10).map(|_| open(&options, system_clock()))).await;
    drivers[0].create(record(1, "ada")).await.unwrap();
    drivers[0].create(record(2, "ada")).await.unwrap();
    let first = PageRequest::new(1).unwrap();
    let page = drivers[0].list(&of_user("ada"), &first).await.unwrap();
    for driver in &drivers {
        let rest = first.clone().after(page.cursor.clone());
        let rest = driver.list(&of_user("ada"), &rest).await.unwrap();
        assert_eq!(rest.items.len(), 1);
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_not_made_unless_asked() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut options = options(server, "not-made");
    options.create = false;
    let told = refused(&options).await;
    assert!(
        told.contains("not-made") && told.contains("create"),
        "{told}"
    );
    assert!(keys(std::slice::from_ref(server), "not-made").is_empty());
    options.create = true;
    open(&options, system_clock()).await;
    options.create = false;
    open(&options, system_clock()).await;
}

#[tokio::test]
async fn a_newer_layout_is_refused() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = options(server, "newer");
    open(&options, system_clock()).await;
    let newer = ["HSET", "newer:meta", "layout", "2"];
    server.command(&newer).unwrap();
    assert!(refused(&options).await.contains("layout 2"));
}

#[tokio::test]
async fn a_store_keeps_its_shards() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let mut options = cluster_options(cluster, "shards");
    options.shards = Some(3);
    open(&options, system_clock()).await;
    options.shards = Some(4);
    let told = refused(&options).await;
    assert!(told.contains("shards is 4") && told.contains('3'), "{told}");
    options.shards = None;
    let driver = open(&options, system_clock()).await;
    assert!(format!("{driver:?}").contains("shards: 3"));
    for shards in [0, 65] {
        options.shards = Some(shards);
        assert!(refused(&options).await.contains("1 to 64"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_of_a_cluster_is_waited_for() {
    let Some(cluster) = require_or_tell(Cluster::redis(3, 1, &Settings::new())) else {
        return;
    };
    let mut options = cluster_options(&cluster, "waits");
    // The successor has no replica of its own.
    options.replicas = Some(0);
    options.timeout = Duration::from_secs(60);
    let slot = ["CLUSTER", "KEYSLOT", "waits:meta"];
    let slot = cluster.nodes()[0].command(&slot).unwrap();
    let master = cluster.master_of_slot(slot.trim().parse().unwrap());
    open(&options, system_clock()).await;
    master.unwrap().kill().unwrap();
    let driver = open(&options, system_clock()).await;
    let told = driver.check().await.unwrap().warnings.concat();
    assert!(!told.contains("writes may be missing"), "{told}");
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let Some(server) = shared_server() else {
        return;
    };
    assert!(refused(&options(server, "a:b")).await.contains("namespace"));
    let mut options = options(server, "options");
    options.shards = Some(2);
    assert!(refused(&options).await.contains("shards"));
    options.shards = None;
    options.durability = tokenkeep_core::Durability::Volatile;
    assert!(refused(&options).await.contains("durability"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_removed_and_no_other() {
    let (Some(server), Some(cluster)) = (shared_server(), shared_cluster()) else {
        return;
    };
    let stores = [
        (options(server, "gone"), std::slice::from_ref(server)),
        (cluster_options(cluster, "gone"), cluster.nodes()),
    ];
    for (options, nodes) in stores {
        let mut other = options.clone();
        other.namespace = "gone.not".to_owned();
        for options in [&options, &other] {
            let driver = open(options, system_clock()).await;
            let many = (0..1_500).map(|number| record(number, "ada")).collect();
            for answer in driver.create_many(many).await.unwrap() {
                answer.unwrap();
            }
        }
        let kept = keys(nodes, "gone.not").len();
        drop_namespace(&options).await.unwrap();
        assert!(keys(nodes, "gone").is_empty());
        assert_eq!(keys(nodes, "gone.not").len(), kept);
        // One that is not there is no error.
        drop_namespace(&options).await.unwrap();
        drop_namespace(&other).await.unwrap();
    }
}

#[tokio::test]
async fn a_namespace_is_removed_from_servers_that_would_not_keep_it() {
    let Some(server) = require_or_tell(Server::redis(&Settings::new())) else {
        return;
    };
    let mut options = options(&server, "unkept");
    let driver = open(&options, system_clock()).await;
    for (name, value, replicas) in [
        ("appendfsync", "everysec", None),
        ("appendonly", "no", None),
        ("appendonly", "no", Some(1)),
    ] {
        driver.create(record(1, "ada")).await.unwrap();
        server.command(&["CONFIG", "SET", name, value]).unwrap();
        options.replicas = replicas;
        refused(&options).await;
        drop_namespace(&options).await.unwrap();
        assert!(keys(std::slice::from_ref(&server), "unkept").is_empty());
    }
    options.password = Some("wrong".to_owned().into());
    let error = drop_namespace(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[tokio::test]
async fn check_tells_that_the_constants_are_gone() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "no-meta"), system_clock()).await;
    driver.check().await.unwrap();
    server.command(&["UNLINK", "no-meta:meta"]).unwrap();
    let error = driver.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("no-meta:meta"), "{error}");
}
