use std::collections::BTreeSet;

use tokenkeep::{ErrorKind, IssueRequest, TokenFilter};

use crate::support::{Bench, bench, failure, secret};

/// Tokens of the users `u1` and `u2`: the name of each, and how it was asked for.
async fn furnish(bench: &Bench) {
    let table = [
        ("plain", IssueRequest::new("u1")),
        ("t1", IssueRequest::new("u1").with_tenant("t1")),
        ("t2", IssueRequest::new("u1").with_tenant("t2")),
        (
            "c",
            IssueRequest::new("u1").with_tenant("t1").with_consumer("c"),
        ),
        (
            "trustor",
            IssueRequest::new("u1").with_tenant("t1").with_trust("tr"),
        ),
        (
            "trustee",
            IssueRequest::new("u2").with_tenant("t1").with_trust("tr"),
        ),
        (
            "trustee-c",
            IssueRequest::new("u2").with_trust("tr").with_consumer("c"),
        ),
        ("other", IssueRequest::new("u2").with_tenant("t1")),
    ];
    for (name, request) in table {
        bench
            .manager
            .create_token(&secret(name), request)
            .await
            .unwrap();
    }
}

const NAMES: [&str; 8] = [
    "plain",
    "t1",
    "t2",
    "c",
    "trustor",
    "trustee",
    "trustee-c",
    "other",
];

/// M3, with Keystone's precedence.
#[tokio::test]
async fn keystones_selection() {
    type Choice = Option<&'static str>;
    let none: Choice = None;
    let table: [(Choice, Choice, Choice, Choice, &[&str]); 14] = [
        // user, tenant, trust, consumer
        (
            Some("u1"),
            none,
            none,
            none,
            &["plain", "t1", "t2", "c", "trustor"],
        ),
        (
            Some("u2"),
            none,
            none,
            none,
            &["trustee", "trustee-c", "other"],
        ),
        (Some("u1"), Some("t1"), none, none, &["t1", "c", "trustor"]),
        (Some("u1"), Some("t3"), none, none, &[]),
        (
            Some("u1"),
            none,
            Some("tr"),
            none,
            &["trustor", "trustee", "trustee-c"],
        ),
        (
            Some("nobody"),
            none,
            Some("tr"),
            none,
            &["trustor", "trustee", "trustee-c"],
        ),
        (
            Some(""),
            none,
            Some("tr"),
            none,
            &["trustor", "trustee", "trustee-c"],
        ),
        (
            none,
            none,
            Some("tr"),
            none,
            &["trustor", "trustee", "trustee-c"],
        ),
        (none, Some("t1"), Some("tr"), none, &["trustor", "trustee"]),
        (none, Some("t2"), Some("tr"), none, &[]),
        (Some("u1"), none, none, Some("c"), &["c"]),
        (Some("u1"), Some("t2"), none, Some("c"), &[]),
        (Some("u1"), none, Some("tr"), Some("c"), &["trustee-c"]),
        (Some("nobody"), none, none, none, &[]),
    ];
    for (user, tenant, trust, consumer, expected) in table {
        let bench = bench();
        furnish(&bench).await;
        let manager = &bench.manager;
        let ids = manager
            .delete_tokens(user, tenant, trust, consumer)
            .await
            .unwrap();
        let ids: BTreeSet<_> = ids.into_iter().collect();
        let wanted = expected.iter().map(|name| manager.token_id(&secret(name)));
        assert_eq!(
            ids,
            wanted.collect(),
            "{user:?} {tenant:?} {trust:?} {consumer:?}"
        );
        for name in NAMES {
            let is_active = manager.validate(&secret(name)).await.is_ok();
            assert_eq!(is_active, !expected.contains(&name), "{name}");
        }
        let again = manager.delete_tokens(user, tenant, trust, consumer).await;
        assert!(again.unwrap().is_empty());
    }
}

#[tokio::test]
async fn nobody_named_and_empty_names_are_refused() {
    let bench = bench();
    furnish(&bench).await;
    let table = [
        (None, None, None, None, "user_id "),
        (None, Some("t1"), None, Some("c"), "user_id "),
        (Some(""), None, None, None, "user_id "),
        (Some("u1"), Some(""), None, None, "tenant_id "),
        (Some("u1"), None, Some(""), None, "trust_id "),
        (Some("u1"), None, None, Some(""), "consumer_id "),
    ];
    for (user, tenant, trust, consumer, field) in table {
        let result = bench
            .manager
            .delete_tokens(user, tenant, trust, consumer)
            .await;
        let (kind, message) = failure(result);
        assert_eq!(kind, ErrorKind::InvalidInput);
        assert!(message.starts_with(field), "{message}");
    }
    assert_eq!(bench.driver.calls("delete_tokens"), 0);
}

#[tokio::test]
async fn any_filter_with_an_anchor() {
    let bench = bench();
    furnish(&bench).await;
    let filter = TokenFilter::new().with_tenant("t2").unwrap();
    let ids = bench.manager.delete_matching(&filter).await.unwrap();
    assert_eq!(ids, [bench.manager.token_id(&secret("t2"))]);
    let result = bench.manager.delete_matching(&TokenFilter::new()).await;
    assert_eq!(failure(result).0, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_token_is_revoked_once() {
    let bench = bench();
    furnish(&bench).await;
    bench.manager.delete_token(&secret("t1")).await.unwrap();
    for name in ["t1", "unknown"] {
        let result = bench.manager.delete_token(&secret(name)).await;
        assert_eq!(failure(result).0, ErrorKind::NotFound);
    }
}
