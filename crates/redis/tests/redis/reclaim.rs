//! What becomes of expired tokens, whether a flush removes them or the server reclaims them.

use std::num::NonZeroU32;
use std::time::Duration;

use tokenkeep_core::{Clock, Flushed, ManualClock, TokenDriver, TokenRecord};
use tokenkeep_redis::{RedisDriver, RedisOptions};
use tokenkeep_testkit::Server;

use crate::keys::{is_constant, key_at, keys, let_records_expire};
use crate::support::{
    cluster_options, manual_clock, of_user, open, options, record, shared_cluster, shared_server,
};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_leaves_the_constants_of_a_server() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = options(server, "flushed");
    flush_all(&options, std::slice::from_ref(server), 100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_leaves_the_constants_of_a_cluster() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let options = cluster_options(cluster, "flushed");
    flush_all(&options, cluster.nodes(), 20_000).await;
}

/// Tokens of mixed lives, of which the users of every third are revoked in bulk.
async fn store(driver: &RedisDriver, clock: &ManualClock, count: u64) {
    let now = clock.now();
    let token = |number: u64| TokenRecord {
        expires_at: now.saturating_add(MINUTE * (1 + number as u32 % 90)),
        ..record(number, &format!("user-{}", number % 30))
            .with_tenant(&format!("tenant-{}", number % 7))
            .unwrap()
    };
    let numbers: Vec<_> = (0..count).collect();
    for part in numbers.chunks(5_000) {
        let records = part.iter().map(|number| token(*number)).collect();
        for answer in driver.create_many(records).await.unwrap() {
            answer.unwrap();
        }
    }
    for user in (0..30).step_by(3) {
        let filter = of_user(&format!("user-{user}"));
        driver.delete_tokens(&filter).await.unwrap();
    }
}

async fn flush_all(options: &RedisOptions, nodes: &[Server], count: u64) {
    let clock = manual_clock();
    let driver = open(options, clock.clone()).await;
    store(&driver, &clock, count).await;
    assert!(keys(nodes, &options.namespace).len() as u64 > count);
    clock.advance(MINUTE * 90);
    let some = NonZeroU32::new(777).unwrap();
    let flushed = driver.flush_expired(some).await.unwrap();
    let wanted = Flushed {
        removed: 777,
        more: true,
    };
    assert_eq!(flushed, wanted);
    let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    let wanted = Flushed {
        removed: count - 777,
        more: false,
    };
    assert_eq!(flushed, wanted);
    let left = keys(nodes, &options.namespace);
    assert!(left.iter().all(is_constant), "{left:?}");
    assert!(left.len() <= 66, "{left:?}");
}

/// New tokens see to what is left of those that the server has reclaimed.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_reclaims_is_trimmed_by_later_creates() {
    let Some(server) = shared_server() else {
        return;
    };
    let nodes = std::slice::from_ref(server);
    let options = options(server, "trimmed");
    let clock = manual_clock();
    let driver = open(&options, clock.clone()).await;
    store(&driver, &clock, 1_000).await;
    clock.advance(MINUTE * 90);
    assert_eq!(let_records_expire(nodes, "trimmed"), 1_000);
    // Each sixteenth id trims 32 entries.
    for number in 0..1_000 / 32 + 1 {
        let token = record(2_000 + 16 * number, "new");
        driver.create(token).await.unwrap();
    }
    let size = |end| key_at(nodes, "trimmed", end).map(|key| key.size);
    assert_eq!(size(":expiry"), Some(32));
    assert_eq!(size(":user:new"), Some(32));
    assert_eq!(size(":revoked"), None);
    let left = keys(nodes, "trimmed");
    let stale = |name: &str| name.contains(":user:user-") || name.contains(":tenant:");
    assert!(!left.iter().any(|key| stale(&key.name)), "{left:?}");
}

/// So do new tokens that take the place of others.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_reclaims_is_trimmed_by_later_rotations() {
    let Some(server) = shared_server() else {
        return;
    };
    let nodes = std::slice::from_ref(server);
    let options = options(server, "rotated");
    let clock = manual_clock();
    let driver = open(&options, clock.clone()).await;
    store(&driver, &clock, 1_000).await;
    clock.advance(MINUTE * 90);
    assert_eq!(let_records_expire(nodes, "rotated"), 1_000);
    let mut head = record(2_001, "new");
    driver.create(head.clone()).await.unwrap();
    for number in 0..1_000 / 32 + 1 {
        let heir = record(2_000 + 16 * number, "new");
        driver.rotate(&head.id, heir.clone()).await.unwrap();
        head = heir;
    }
    let size = |end| key_at(nodes, "rotated", end).map(|key| key.size);
    assert_eq!(size(":expiry"), Some(33));
    assert_eq!(size(":revoked"), Some(32));
    assert_eq!(size(":user:new"), Some(1));
}
