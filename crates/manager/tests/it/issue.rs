use std::collections::HashSet;
use std::time::Duration;

use tokenkeep::{Clock, ErrorKind, Expiry, IssueRequest, ManagerOptions, TokenManager, TokenState};

use crate::support::{Fault, Watched, bench, bench_with, clock, failure, secret};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_secret_is_the_prefix_and_256_random_bits() {
    let bench = bench();
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let issued = bench.manager.issue(IssueRequest::new("ada")).await.unwrap();
        let letters = issued.secret.expose().strip_prefix("tkp_").unwrap();
        assert_eq!(letters.len(), 43);
        assert!(
            letters
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
        );
        assert!(seen.insert(letters.to_owned()));
        assert!(seen.insert(issued.record.audit_id.to_string()));
    }
}

#[tokio::test]
async fn defaults_are_filled_in() {
    let bench = bench();
    let issued = bench.manager.issue(IssueRequest::new("ada")).await.unwrap();
    let record = &issued.record;
    assert_eq!(record.issued_at, bench.clock.now());
    assert_eq!(record.expires_at, bench.clock.now().saturating_add(HOUR));
    assert_eq!(record.audit_id.len(), 22, "16 bytes in base64");
    assert_eq!(record.audit_chain_id, record.audit_id);
    assert_eq!((record.version, record.state), (1, TokenState::Active));
    assert!(record.data.is_empty());
    assert!(record.tenant_id.is_none() && record.domain_id.is_none());
    assert!(record.trust_id.is_none() && record.consumer_id.is_none());
    assert_eq!(
        bench.manager.validate(&issued.secret).await.unwrap(),
        *record
    );
    assert_eq!(record.id, bench.manager.token_id(&issued.secret));
}

#[tokio::test]
async fn what_is_asked_for_is_stored() {
    let bench = bench();
    let request = IssueRequest::new("u")
        .with_tenant("t")
        .with_domain("d")
        .with_trust("tr")
        .with_consumer("c")
        .with_audit_id("a")
        .with_audit_chain("ac")
        .with_expiry(Expiry::In(Duration::from_secs(5)))
        .with_data("data");
    let issued = bench.manager.issue(request).await.unwrap();
    let found = bench.manager.get_token(&issued.secret).await.unwrap();
    assert_eq!(found, issued.record);
    let texts = [
        Some(&found.user_id),
        found.tenant_id.as_ref(),
        found.domain_id.as_ref(),
        found.trust_id.as_ref(),
        found.consumer_id.as_ref(),
        Some(&found.audit_id),
        Some(&found.audit_chain_id),
    ];
    let expected = ["u", "t", "d", "tr", "c", "a", "ac"];
    assert_eq!(texts.map(|text| text.unwrap().as_str()), expected);
    assert_eq!(found.data, "data");
    assert_eq!(
        found.expires_at,
        bench.clock.now().saturating_add(Duration::from_secs(5))
    );
}

#[tokio::test]
async fn bad_fields_are_named_and_nothing_is_stored() {
    let bench = bench();
    let ada = || IssueRequest::new("ada");
    let long = "x".repeat(256);
    let table = [
        (IssueRequest::new(""), "user_id "),
        (IssueRequest::new("a\0b"), "user_id "),
        (ada().with_tenant(""), "tenant_id "),
        (ada().with_domain(&long), "domain_id "),
        (ada().with_trust(""), "trust_id "),
        (ada().with_consumer(""), "consumer_id "),
        (ada().with_audit_id(""), "audit_id "),
        (ada().with_audit_chain(&long), "audit_chain_id "),
    ];
    for (request, field) in table {
        let (kind, message) = failure(bench.manager.issue(request).await);
        assert_eq!(kind, ErrorKind::InvalidInput);
        assert!(message.starts_with(field), "{message}");
    }
    assert_eq!(bench.driver.all_calls(), 0);
    let big = ada().with_data(vec![0; 65_537]);
    let (kind, message) = failure(bench.manager.issue(big).await);
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.starts_with("data "), "{message}");
}

#[tokio::test]
async fn the_expiry_lies_in_the_future_and_within_the_longest_life() {
    let bench = bench_with(ManagerOptions::default().with_max_lifetime(2 * HOUR));
    let now = bench.clock.now();
    let micro = Duration::from_micros(1);
    for expiry in [
        Expiry::At(now),
        Expiry::At(now.saturating_sub(micro)),
        Expiry::In(Duration::ZERO),
        Expiry::In(Duration::from_nanos(999)),
        Expiry::At(now.saturating_add(2 * HOUR + micro)),
        Expiry::In(Duration::MAX),
    ] {
        let request = IssueRequest::new("ada").with_expiry(expiry);
        for result in [
            bench.manager.issue(request.clone()).await.map(|_| ()),
            bench
                .manager
                .create_token(&secret("mine"), request)
                .await
                .map(|_| ()),
        ] {
            let (kind, message) = failure(result);
            assert_eq!(kind, ErrorKind::InvalidInput);
            assert!(message.starts_with("expires_at "), "{expiry:?}: {message}");
        }
    }
    for expiry in [Expiry::At(now.saturating_add(micro)), Expiry::In(2 * HOUR)] {
        let request = IssueRequest::new("ada").with_expiry(expiry);
        bench.manager.issue(request).await.unwrap();
    }
}

#[tokio::test]
async fn an_expired_token_is_no_token() {
    let bench = bench();
    let issued = bench.manager.issue(IssueRequest::new("ada")).await.unwrap();
    bench.clock.advance(HOUR - Duration::from_micros(1));
    bench.manager.validate(&issued.secret).await.unwrap();
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!(
        failure(bench.manager.validate(&issued.secret).await).0,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_token_under_an_id_of_ones_own() {
    let bench = bench();
    let mine = secret("an id of my own");
    let create = || bench.manager.create_token(&mine, IssueRequest::new("ada"));
    let record = create().await.unwrap();
    assert_eq!(bench.manager.validate(&mine).await.unwrap(), record);
    assert_eq!(failure(create().await).0, ErrorKind::AlreadyExists);
    bench.manager.delete_token(&mine).await.unwrap();
    assert_eq!(
        failure(create().await).0,
        ErrorKind::AlreadyExists,
        "revoked is final"
    );
    bench.clock.advance(HOUR);
    create().await.unwrap();
}

#[tokio::test]
async fn empty_and_over_long_secrets_are_refused_at_creation_by_name() {
    let bench = bench_with(ManagerOptions::default().with_max_secret_len(100));
    for (text, wrong) in [("", "is empty"), (&"x".repeat(101), "is 101 bytes long")] {
        let request = IssueRequest::new("ada");
        let (kind, message) = failure(bench.manager.create_token(&secret(text), request).await);
        assert_eq!(kind, ErrorKind::InvalidInput);
        assert!(
            message.starts_with("token id ") && message.contains(wrong),
            "{message}"
        );
        assert!(!message.contains("xxx"), "{message}");
    }
    let longest = secret(&"x".repeat(100));
    bench
        .manager
        .create_token(&longest, IssueRequest::new("ada"))
        .await
        .unwrap();
    bench.manager.validate(&longest).await.unwrap();
}

/// M2.
#[tokio::test]
async fn empty_and_over_long_secrets_are_no_tokens_and_never_reach_the_store() {
    let bench = bench();
    for text in ["", &"x".repeat(8_193)] {
        let bad = secret(text);
        for result in [
            bench.manager.validate(&bad).await.map(|_| ()),
            bench.manager.get_token(&bad).await.map(|_| ()),
            bench.manager.delete_token(&bad).await,
            bench
                .manager
                .rotate(&bad, Default::default())
                .await
                .map(|_| ()),
        ] {
            assert_eq!(failure(result).0, ErrorKind::NotFound);
        }
    }
    assert_eq!(bench.driver.all_calls(), 0);
}

#[tokio::test]
async fn if_the_store_fails_there_is_no_secret() {
    let bench = bench();
    bench.driver.disturb([Fault::Fails(ErrorKind::Unavailable)]);
    let result = bench.manager.issue(IssueRequest::new("ada")).await;
    assert_eq!(failure(result).0, ErrorKind::Unavailable);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let default = ManagerOptions::default;
    for (options, field) in [
        (default().with_prefix(""), "token.prefix"),
        (default().with_prefix("x".repeat(17)), "token.prefix"),
        (default().with_max_secret_len(58), "token.max_secret_len"),
        (
            default().with_default_lifetime(Duration::ZERO),
            "token.default_lifetime",
        ),
        (
            default().with_max_lifetime(Duration::from_secs(60)),
            "token.max_lifetime",
        ),
    ] {
        let clock = clock();
        let result = TokenManager::new(Watched::new(&clock), clock, options);
        let (kind, message) = failure(result);
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.starts_with(field), "{message}");
    }
}
