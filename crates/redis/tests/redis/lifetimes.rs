//! Every key goes by itself, but for a few.

use std::time::Duration;

use tokenkeep_core::{PageRequest, Replacement, Rotation, TokenDriver, TokenRecord};
use tokenkeep_redis::RedisOptions;
use tokenkeep_testkit::Server;

use crate::keys::{is_constant, keys};
use crate::support::{
    cluster_options, manual_clock, of_user, open, options, record, shared_cluster, shared_server,
};

const HOUR: Duration = Duration::from_secs(3_600);
/// How long a record is kept beyond its expiry.
const GRACE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn every_key_has_a_lifetime_on_a_server() {
    let Some(server) = shared_server() else {
        return;
    };
    every_key(&options(server, "lifetimes"), std::slice::from_ref(server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_has_a_lifetime_on_a_cluster() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    every_key(&cluster_options(cluster, "lifetimes"), cluster.nodes()).await;
}

/// Uses every method, and looks at all keys.
async fn every_key(options: &RedisOptions, nodes: &[Server]) {
    let clock = manual_clock();
    let driver = open(options, clock.clone()).await;
    let soon = tokenkeep_core::Clock::now(&*clock).saturating_add(HOUR);
    let token = |number, user: &str| TokenRecord {
        expires_at: soon,
        ..record(number, user).with_tenant("engines").unwrap()
    };
    for number in 0..300 {
        driver.create(token(number, "ada")).await.unwrap();
    }
    let many = (300..600).map(|number| token(number, "grace")).collect();
    for answer in driver.create_many(many).await.unwrap() {
        answer.unwrap();
    }
    for number in 0..50 {
        driver.delete(&token(number, "ada").id).await.unwrap();
        let old = token(50 + number, "ada").id;
        let rotated = driver.rotate(&old, token(600 + number, "ada")).await;
        assert_eq!(rotated.unwrap(), Rotation::Rotated);
        let change = Replacement {
            id: token(100 + number, "ada").id,
            expires_at: soon,
            data: "changed".into(),
        };
        assert_eq!(driver.replace(change, 1).await.unwrap(), 2);
    }
    let revoked = driver.delete_tokens(&of_user("grace")).await.unwrap();
    assert_eq!(revoked.len(), 300);
    let page = driver.list(&of_user("ada"), &PageRequest::default()).await;
    assert_eq!(page.unwrap().items.len(), 250);
    assert!(driver.check().await.is_ok());

    let keys = keys(nodes, &options.namespace);
    let records = keys.iter().filter(|key| key.name.contains(":token:"));
    assert_eq!(records.count(), 650);
    for key in &keys {
        let Some(ttl) = key.ttl.map(Duration::from_millis) else {
            assert!(is_constant(key), "{key:?} lives for ever");
            continue;
        };
        assert!(!is_constant(key), "{key:?} does not live for ever");
        if key.name.contains(":token:") {
            let most = HOUR + GRACE + Duration::from_secs(1);
            assert!((HOUR..=most).contains(&ttl), "{key:?}");
        }
        // With its reserve an index lives longer than its members, but not for ever.
        assert!(ttl < 2 * HOUR, "{key:?}");
    }
}
