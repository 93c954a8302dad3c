use std::time::Duration;

use tokenkeep::{
    Clock, ErrorKind, Expiry, IssueRequest, Issued, ManagerOptions, Result, RotateOutcome,
    RotateRequest, Timestamp, TokenDriver, TokenFilter, TokenId,
};
use tokio::task::JoinSet;

use crate::support::{Fault, bench, bench_with, failure, secret};

fn rotated(outcome: Result<RotateOutcome>) -> Issued {
    match outcome.unwrap() {
        RotateOutcome::Rotated(issued) => *issued,
        used => panic!("{used:?}"),
    }
}

fn already_used(outcome: Result<RotateOutcome>) -> (Timestamp, Option<TokenId>) {
    match outcome.unwrap() {
        RotateOutcome::AlreadyUsed { at, successor } => (at, successor),
        rotated => panic!("{rotated:?}"),
    }
}

fn request() -> IssueRequest {
    IssueRequest::new("u")
        .with_tenant("t")
        .with_domain("d")
        .with_trust("tr")
        .with_consumer("c")
        .with_data("data")
}

#[tokio::test]
async fn the_successor_takes_over_all_but_secret_audit_id_and_times() {
    let bench = bench();
    let old = bench.manager.issue(request()).await.unwrap();
    bench.clock.advance(Duration::from_secs(60));
    let new = rotated(
        bench
            .manager
            .rotate(&old.secret, RotateRequest::new())
            .await,
    );

    let mut expected = old.record.clone();
    expected.id = bench.manager.token_id(&new.secret);
    expected.audit_id = new.record.audit_id.clone();
    expected.issued_at = bench.clock.now();
    expected.expires_at = bench.clock.now().saturating_add(Duration::from_secs(3_600));
    assert_eq!(new.record, expected);
    assert_ne!(new.record.audit_id, old.record.audit_id);
    assert!(new.secret != old.secret);
    assert!(new.secret.expose().starts_with("tkp_"));

    assert_eq!(bench.manager.validate(&new.secret).await.unwrap(), expected);
    assert_eq!(
        failure(bench.manager.validate(&old.secret).await).0,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn expiry_and_data_may_be_new() {
    let bench = bench();
    let old = bench.manager.issue(request()).await.unwrap();
    let request = RotateRequest::new()
        .with_expiry(Expiry::In(Duration::from_secs(5)))
        .with_data("new");
    let new = rotated(bench.manager.rotate(&old.secret, request).await);
    assert_eq!(new.record.data, "new");
    assert_eq!(
        new.record.expires_at,
        bench.clock.now().saturating_add(Duration::from_secs(5))
    );
}

#[tokio::test]
async fn a_version_after_replace_is_no_obstacle() {
    let bench = bench();
    let old = bench.manager.issue(request()).await.unwrap();
    let change = tokenkeep::Replacement {
        id: old.record.id,
        expires_at: old.record.expires_at,
        data: "replaced".into(),
    };
    bench.driver.replace(change, 1).await.unwrap();
    let new = rotated(
        bench
            .manager
            .rotate(&old.secret, RotateRequest::new())
            .await,
    );
    assert_eq!(
        (new.record.version, &new.record.data[..]),
        (1, &b"replaced"[..])
    );
}

#[tokio::test]
async fn presented_again_it_is_already_used() {
    let bench = bench();
    let old = bench.manager.issue(request()).await.unwrap();
    let new = rotated(
        bench
            .manager
            .rotate(&old.secret, RotateRequest::new())
            .await,
    );
    let at = bench.clock.now();
    bench.clock.advance(Duration::from_secs(1));
    let again = bench
        .manager
        .rotate(&old.secret, RotateRequest::new())
        .await;
    assert_eq!(already_used(again), (at, Some(new.record.id)));

    bench.manager.delete_token(&new.secret).await.unwrap();
    let revoked = bench
        .manager
        .rotate(&new.secret, RotateRequest::new())
        .await;
    assert_eq!(already_used(revoked), (bench.clock.now(), None));
    assert_eq!(of_user(&bench).await, 0, "asking made no token");
}

async fn of_user(bench: &crate::support::Bench) -> usize {
    let filter = TokenFilter::new().with_user("u").unwrap();
    let page = bench.driver.memory.list(&filter, &Default::default()).await;
    page.unwrap().items.len()
}

#[tokio::test]
async fn absent_and_expired_tokens_are_not_found() {
    let bench = bench();
    let rotate = |text: &'static str| {
        let manager = bench.manager.clone();
        async move { manager.rotate(&secret(text), RotateRequest::new()).await }
    };
    assert_eq!(failure(rotate("unknown").await).0, ErrorKind::NotFound);
    bench
        .manager
        .create_token(&secret("mine"), request())
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(3_600));
    assert_eq!(failure(rotate("mine").await).0, ErrorKind::NotFound);
    assert_eq!(of_user(&bench).await, 0);
}

/// The answer to the first look was out of date; the token is left alone.
#[tokio::test]
async fn a_token_made_in_the_middle_is_not_touched() {
    let bench = bench();
    bench
        .manager
        .create_token(&secret("mine"), request())
        .await
        .unwrap();
    bench.driver.disturb([Fault::Fails(ErrorKind::NotFound)]);
    let outcome = bench
        .manager
        .rotate(&secret("mine"), RotateRequest::new())
        .await;
    assert_eq!(failure(outcome).0, ErrorKind::NotFound);
    bench.manager.validate(&secret("mine")).await.unwrap();
}

#[tokio::test]
async fn a_bad_expiry_leaves_the_old_token_as_it_was() {
    let hour = Duration::from_secs(3_600);
    let bench = bench_with(ManagerOptions::default().with_max_lifetime(hour));
    let old = bench.manager.issue(request()).await.unwrap();
    for span in [Duration::ZERO, 2 * hour] {
        let request = RotateRequest::new().with_expiry(Expiry::In(span));
        let outcome = bench.manager.rotate(&old.secret, request).await;
        assert_eq!(failure(outcome).0, ErrorKind::InvalidInput);
    }
    bench.manager.validate(&old.secret).await.unwrap();
}

#[tokio::test]
async fn a_failing_store_is_no_answer() {
    let bench = bench();
    let old = bench.manager.issue(request()).await.unwrap();
    bench.driver.disturb([Fault::Fails(ErrorKind::Unavailable)]);
    let outcome = bench
        .manager
        .rotate(&old.secret, RotateRequest::new())
        .await;
    assert_eq!(failure(outcome).0, ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_callers_one_is_given_the_successor() {
    let bench = bench();
    bench
        .manager
        .create_token(&secret("mine"), request())
        .await
        .unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let manager = bench.manager.clone();
        callers.spawn(async move { manager.rotate(&secret("mine"), RotateRequest::new()).await });
    }
    let outcomes = callers.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes
        .into_iter()
        .map(Result::unwrap)
        .partition(|outcome| matches!(outcome, RotateOutcome::Rotated(_)));
    assert_eq!((won.len(), lost.len()), (1, 99));
    assert_eq!(of_user(&bench).await, 1);
}
