//! A bulk revocation of several steps beside a rotation behind its back, where its mark is passed over or
//! lapses.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokenkeep_core::{
    ErrorKind, ManualClock, Result, Rotation, TokenDriver, TokenDriverExt, TokenId, TokenRecord,
};
use tokenkeep_redis::{RedisDriver, RedisOptions};
use tokenkeep_testkit::Server;

use crate::keys::masters;
use crate::support::{
    cluster_options, manual_clock, of_user, open, options, record, shared_cluster, shared_server,
};

/// Lets the marks of all bulk revocations lapse, as if none had been heard of for long.
const LAPSE: &str = "
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
        for _, mark in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZADD', key, 1, mark) end
    end
    return 1";

/// Tokens in the order of a walk, the first of which is not stored yet.
struct Family {
    driver: RedisDriver,
    tokens: Vec<TokenRecord>,
}

impl Family {
    async fn new(options: &RedisOptions) -> Self {
        let driver = open(options, manual_clock()).await;
        let mut tokens: Vec<_> = (0..=1_000).map(|number| record(number, "ada")).collect();
        tokens.sort_by_key(|token| *token.id.as_bytes());
        for answer in driver.create_many(tokens[1..].to_vec()).await.unwrap() {
            answer.unwrap();
        }
        Self { driver, tokens }
    }

    /// Goes on with a bulk revocation until its first step is done.
    async fn first_step(&self, bulk: &mut Pin<&mut impl Future<Output = Result<Vec<TokenId>>>>) {
        loop {
            let polled = poll_fn(|context| Poll::Ready(bulk.as_mut().poll(context))).await;
            assert!(polled.is_pending(), "it ended with its first step");
            let found = self.driver.get(&self.tokens[1].id).await;
            if found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                return;
            }
        }
    }

    /// Gives the last token of the walk a successor where the walk has been.
    async fn rotate_behind_its_back(&self, driver: &RedisDriver) {
        let last = self.tokens.last().unwrap();
        let turn = driver.rotate(&last.id, self.tokens[0].clone()).await;
        assert_eq!(turn.unwrap(), Rotation::Rotated);
    }

    /// The bulk revocation's answer has every token but the one that was rotated, and none is active.
    async fn expect_all_revoked(&self, answer: Result<Vec<TokenId>>) {
        let mut revoked = answer.unwrap();
        revoked.sort_by_key(|id| *id.as_bytes());
        let wanted: Vec<_> = self.tokens[..1_000].iter().map(|token| token.id).collect();
        assert_eq!(revoked, wanted);
        let active = self.driver.list_all(&of_user("ada")).await.unwrap();
        assert!(active.is_empty(), "{} escaped", active.len());
    }
}

fn ahead(seconds: u64) -> std::sync::Arc<ManualClock> {
    let clock = manual_clock();
    clock.advance(Duration::from_secs(seconds));
    clock
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_whose_clock_goes_ahead_sees_the_mark() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = options(server, "ahead");
    let family = Family::new(&options).await;
    let other = open(&options, ahead(120)).await;
    let filter = of_user("ada");
    let mut bulk = pin!(family.driver.delete_tokens(&filter));
    family.first_step(&mut bulk).await;
    family.rotate_behind_its_back(&other).await;
    family.expect_all_revoked(bulk.await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_bulk_revocation_whose_clock_goes_ahead_leaves_the_mark() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = options(server, "third");
    let family = Family::new(&options).await;
    let other = open(&options, ahead(120)).await;
    let filter = of_user("ada");
    let mut bulk = pin!(family.driver.delete_tokens(&filter));
    family.first_step(&mut bulk).await;
    let none = of_user("ada").with_audit_id("none").unwrap();
    assert!(other.delete_tokens(&none).await.unwrap().is_empty());
    family.rotate_behind_its_back(&family.driver).await;
    family.expect_all_revoked(bulk.await).await;
}

async fn expect_a_new_beginning(nodes: &[Server], options: &RedisOptions) {
    let family = Family::new(options).await;
    let filter = of_user("ada");
    let mut bulk = pin!(family.driver.delete_tokens(&filter));
    family.first_step(&mut bulk).await;
    let marks = format!("{}:*:bulk:*", options.namespace);
    for master in masters(nodes) {
        master.command(&["EVAL", LAPSE, "0", &marks]).unwrap();
    }
    family.rotate_behind_its_back(&family.driver).await;
    family.expect_all_revoked(bulk.await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_revocation_whose_mark_lapsed_begins_again() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = options(server, "lapsed");
    expect_a_new_beginning(std::slice::from_ref(server), &options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_on_a_cluster_whose_marks_lapsed_begins_again() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let options = cluster_options(cluster, "lapsed");
    expect_a_new_beginning(cluster.nodes(), &options).await;
}
