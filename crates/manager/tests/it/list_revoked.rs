use std::sync::Arc;
use std::time::Duration;

use tokenkeep::{
    ErrorKind, Expiry, IssueRequest, ManagerOptions, RotateRequest, TokenDriver, TokenFilter,
};
use tokio::task::{JoinSet, yield_now};

use crate::support::{Bench, Fault, bench, bench_with, failure, secret};

const SECOND: Duration = Duration::from_secs(1);

async fn create(bench: &Bench, name: &str) {
    let request = IssueRequest::new("ada");
    bench
        .manager
        .create_token(&secret(name), request)
        .await
        .unwrap();
}

async fn listed(bench: &Bench) -> usize {
    bench.manager.list_revoked().await.unwrap().len()
}

/// Revokes without the manager's knowledge, as another node does.
async fn revoke_elsewhere(bench: &Bench, name: &str) {
    let id = bench.manager.token_id(&secret(name));
    bench.driver.memory.delete(&id).await.unwrap();
}

#[tokio::test]
async fn it_is_served_from_memory_until_it_is_too_old() {
    let bench = bench();
    create(&bench, "a").await;
    assert_eq!(listed(&bench).await, 0);
    revoke_elsewhere(&bench, "a").await;
    bench.clock.advance(60 * SECOND - Duration::from_micros(1));
    assert_eq!(listed(&bench).await, 0);
    assert_eq!(bench.driver.calls("list_revoked"), 1);
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!(listed(&bench).await, 1);
}

#[tokio::test]
async fn by_hand_it_is_invalidated_at_once() {
    let bench = bench();
    create(&bench, "a").await;
    create(&bench, "b").await;
    assert_eq!(listed(&bench).await, 0);
    revoke_elsewhere(&bench, "a").await;
    assert_eq!(listed(&bench).await, 0);
    bench.manager.invalidate_revocation_list();
    assert_eq!(listed(&bench).await, 1);
    bench.manager.delete_token(&secret("b")).await.unwrap();
    assert_eq!(listed(&bench).await, 2);
}

#[tokio::test]
async fn a_time_to_live_of_zero_reads_each_time() {
    let bench = bench_with(ManagerOptions::default().with_revocation_list_ttl(Duration::ZERO));
    create(&bench, "a").await;
    assert_eq!(listed(&bench).await, 0);
    revoke_elsewhere(&bench, "a").await;
    assert_eq!(listed(&bench).await, 1);
}

#[tokio::test]
async fn a_clock_set_back_makes_it_too_old() {
    let bench = bench();
    create(&bench, "a").await;
    assert_eq!(listed(&bench).await, 0);
    revoke_elsewhere(&bench, "a").await;
    bench.clock.set("2029-12-31T00:00:00Z".parse().unwrap());
    assert_eq!(listed(&bench).await, 1);
}

#[tokio::test]
async fn each_way_to_revoke_shows_at_once() {
    let bench = bench();
    for name in ["a", "b", "c", "d"] {
        create(&bench, name).await;
    }
    assert_eq!(listed(&bench).await, 0);
    bench.manager.delete_token(&secret("a")).await.unwrap();
    assert_eq!(listed(&bench).await, 1);
    bench
        .manager
        .rotate(&secret("b"), RotateRequest::new())
        .await
        .unwrap();
    assert_eq!(listed(&bench).await, 2);
    let filter = TokenFilter::new().with_user("ada").unwrap();
    let audit_id = bench.manager.validate(&secret("c")).await.unwrap().audit_id;
    let filter = filter.with_audit_id(&audit_id).unwrap();
    bench.manager.delete_matching(&filter).await.unwrap();
    assert_eq!(listed(&bench).await, 3);
    bench
        .manager
        .delete_tokens(Some("ada"), None, None, None)
        .await
        .unwrap();
    assert_eq!(listed(&bench).await, 5, "d and the successor of b");
}

#[tokio::test]
async fn an_empty_bulk_revocation_invalidates_too() {
    let bench = bench();
    create(&bench, "a").await;
    assert_eq!(listed(&bench).await, 0);
    revoke_elsewhere(&bench, "a").await;
    bench
        .manager
        .delete_tokens(Some("nobody"), None, None, None)
        .await
        .unwrap();
    assert_eq!(listed(&bench).await, 1);
}

#[tokio::test]
async fn a_failed_revocation_that_was_applied_shows() {
    let bench = bench();
    create(&bench, "a").await;
    create(&bench, "b").await;
    assert_eq!(listed(&bench).await, 0);
    bench
        .driver
        .disturb([Fault::Applied(ErrorKind::Indeterminate)]);
    let result = bench.manager.delete_token(&secret("a")).await;
    assert_eq!(failure(result).0, ErrorKind::Indeterminate);
    assert_eq!(listed(&bench).await, 1);
    bench
        .driver
        .disturb([Fault::Applied(ErrorKind::Indeterminate)]);
    let result = bench
        .manager
        .delete_tokens(Some("ada"), None, None, None)
        .await;
    assert_eq!(failure(result).0, ErrorKind::Indeterminate);
    assert_eq!(listed(&bench).await, 2);
}

#[tokio::test]
async fn expired_entries_are_not_served() {
    let bench = bench();
    for (name, seconds) in [("a", 5), ("b", 7)] {
        let request = IssueRequest::new("ada").with_expiry(Expiry::In(seconds * SECOND));
        bench
            .manager
            .create_token(&secret(name), request)
            .await
            .unwrap();
        bench.manager.delete_token(&secret(name)).await.unwrap();
    }
    assert_eq!(listed(&bench).await, 2);
    bench.clock.advance(5 * SECOND);
    assert_eq!(listed(&bench).await, 1);
    bench.clock.advance(2 * SECOND);
    assert_eq!(listed(&bench).await, 0);
    assert_eq!(
        bench.driver.calls("list_revoked"),
        1,
        "without asking the store"
    );
    bench.clock.advance(53 * SECOND);
    assert_eq!(listed(&bench).await, 0);
    assert_eq!(
        bench.driver.calls("list_revoked"),
        2,
        "and its age is that of the reading"
    );
}

/// Lets the readers run as far as the gate.
async fn until_reading(bench: &Bench, readings: usize) {
    until_calls(bench, "list_revoked", readings).await;
}

async fn until_calls(bench: &Bench, what: &str, count: usize) {
    for _ in 0..10_000 {
        if bench.driver.calls(what) >= count {
            return;
        }
        yield_now().await;
    }
    panic!("{what}: not called {count} times");
}

fn readers(bench: &Bench, count: usize) -> JoinSet<tokenkeep::Result<usize>> {
    let mut readers = JoinSet::new();
    for _ in 0..count {
        let manager = Arc::clone(&bench.manager);
        readers.spawn(async move { Ok(manager.list_revoked().await?.len()) });
    }
    readers
}

fn shut_gate(bench: &Bench) {
    bench.driver.gate.forget_permits(usize::MAX);
}

#[tokio::test]
async fn concurrent_callers_share_one_reading() {
    let bench = bench();
    create(&bench, "a").await;
    bench.manager.delete_token(&secret("a")).await.unwrap();
    shut_gate(&bench);
    let readers = readers(&bench, 50);
    until_reading(&bench, 1).await;
    bench.driver.gate.add_permits(1_000);
    for found in readers.join_all().await {
        assert_eq!(found.unwrap(), 1);
    }
    assert_eq!(bench.driver.calls("list_revoked"), 1);
}

#[tokio::test]
async fn a_revocation_during_a_reading_is_not_hidden_by_it() {
    let bench = bench();
    create(&bench, "a").await;
    shut_gate(&bench);
    let early = readers(&bench, 1);
    until_reading(&bench, 1).await;
    // The store is read now, but the answer has not come back.
    bench.driver.gate.add_permits(1);
    until_calls(&bench, "list_revoked has read", 1).await;
    bench.manager.delete_token(&secret("a")).await.unwrap();
    let late = readers(&bench, 1);
    until_reading(&bench, 2).await;
    bench.driver.gate.add_permits(1_000);
    assert_eq!(early.join_all().await.pop().unwrap().unwrap(), 0);
    assert_eq!(late.join_all().await.pop().unwrap().unwrap(), 1);
    assert_eq!(listed(&bench).await, 1);
}

/// Begins a reading that misses a revocation made elsewhere after it; gives what callers find who
/// come so much later, as long as it is under way.
async fn found_late(time_to_live: Duration, later: Duration) -> usize {
    let options = ManagerOptions::default().with_revocation_list_ttl(time_to_live);
    let bench = bench_with(options);
    create(&bench, "a").await;
    shut_gate(&bench);
    let early = readers(&bench, 1);
    until_reading(&bench, 1).await;
    bench.driver.gate.add_permits(1);
    until_calls(&bench, "list_revoked has read", 1).await;
    revoke_elsewhere(&bench, "a").await;
    bench.clock.advance(later);
    let late = readers(&bench, 2);
    // The callers come before the reading ends.
    for _ in 0..100 {
        yield_now().await;
    }
    bench.driver.gate.add_permits(1_000);
    assert_eq!(early.join_all().await.pop().unwrap().unwrap(), 0);
    let found: Vec<_> = late.join_all().await;
    let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found[0], found[1]);
    found[0]
}

#[tokio::test]
async fn a_reading_under_way_is_shared_no_longer_than_its_list() {
    let almost = SECOND - Duration::from_micros(1);
    assert_eq!(found_late(SECOND, almost).await, 0);
    assert_eq!(found_late(SECOND, SECOND).await, 1);
    assert_eq!(found_late(Duration::ZERO, Duration::ZERO).await, 1);
}

/// The early caller leaves the expired token out, and must not bring back its old reading by that.
#[tokio::test]
async fn nor_is_it_when_that_reading_has_expired_entries() {
    let bench = bench();
    let request = IssueRequest::new("ada").with_expiry(Expiry::In(5 * SECOND));
    bench
        .manager
        .create_token(&secret("short"), request)
        .await
        .unwrap();
    bench.manager.delete_token(&secret("short")).await.unwrap();
    create(&bench, "a").await;
    shut_gate(&bench);
    let early = readers(&bench, 1);
    until_reading(&bench, 1).await;
    bench.driver.gate.add_permits(1);
    until_calls(&bench, "list_revoked has read", 1).await;
    bench.manager.delete_token(&secret("a")).await.unwrap();
    bench.clock.advance(5 * SECOND);
    bench.driver.gate.add_permits(1_000);
    assert_eq!(early.join_all().await.pop().unwrap().unwrap(), 0);
    assert_eq!(listed(&bench).await, 1);
}

#[tokio::test]
async fn a_failure_is_shared_and_not_kept() {
    let bench = bench();
    shut_gate(&bench);
    bench
        .driver
        .disturb([Fault::Applied(ErrorKind::Unavailable)]);
    let readers = readers(&bench, 50);
    until_reading(&bench, 1).await;
    // All callers are waiting before the reading fails.
    for _ in 0..100 {
        yield_now().await;
    }
    bench.driver.gate.add_permits(1_000);
    for found in readers.join_all().await {
        assert_eq!(failure(found).0, ErrorKind::Unavailable);
    }
    assert_eq!(bench.driver.calls("list_revoked"), 1);
    assert_eq!(listed(&bench).await, 0);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_others_a_reading() {
    let bench = bench();
    shut_gate(&bench);
    let first = readers(&bench, 1);
    until_reading(&bench, 1).await;
    let others = readers(&bench, 3);
    yield_now().await;
    drop(first);
    until_reading(&bench, 2).await;
    bench.driver.gate.add_permits(1_000);
    for found in others.join_all().await {
        assert_eq!(found.unwrap(), 0);
    }
}
