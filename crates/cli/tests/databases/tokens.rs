//! The commands about tokens.

use crate::place::{Kind, Place, Test};

pub(crate) const TESTS: &[Test] = &[
    ("a_token_is_created_shown_and_revoked", one),
    ("tokens_are_listed_and_revoked_in_bulk", many),
    ("expired_tokens_are_flushed", flush),
    ("check_says_what_the_store_is", check),
];

fn listed(place: &Place, args: &[&str]) -> usize {
    let all = [&["list", "--format=json"], args].concat();
    place.run(&all).expect(0).lines().len()
}

fn one(place: &Place) {
    let data = "{\"a\":\"é\"}";
    let token = place
        .home
        .token(&["--user=Zoë ", "--tenant=t", "--data", data]);
    assert!(place.home.is_valid(&token));
    let shown = place
        .home
        .run_with(&["show", "--format=json"], &token)
        .expect(0)
        .json();
    assert_eq!(
        (&shown["user_id"], &shown["data"]),
        (&"Zoë ".into(), &data.into())
    );
    assert_eq!(listed(place, &["--user=Zoë "]), 1);
    assert_eq!(listed(place, &["--user=Zoë"]), 0);
    assert_eq!(listed(place, &["--user=zoë "]), 0);
    place.home.run_with(&["revoke"], &token).expect(0);
    assert!(!place.home.is_valid(&token));
    place.home.run_with(&["revoke"], &token).expect(1);
    let revoked = place.run(&["revoked", "--format=json"]).expect(0).lines();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0]["audit_id"], shown["audit_id"]);
}

fn many(place: &Place) {
    for number in 0..6 {
        let tenant = format!("--tenant={}", number % 2);
        place.home.token(&["--user=ada", &tenant]);
    }
    place.home.token(&["--user=bob", "--tenant=1"]);
    assert_eq!(listed(place, &["--user=ada"]), 6);
    assert_eq!(listed(place, &["--user=ada", "--limit=2"]), 2);
    let revoke = ["revoke-tokens", "--user=ada", "--tenant=1", "--yes"];
    place.run(&revoke).expect(0);
    assert_eq!(listed(place, &["--user=ada"]), 3);
    assert_eq!(listed(place, &["--tenant=1"]), 1, "bob's is another's");
    let feed = place
        .run(&["revoked", "--format=json", "--limit=2"])
        .expect(0)
        .lines();
    let cursor = feed[1]["cursor"].as_str().unwrap();
    let rest = place.run(&["revoked", "--format=json", "--cursor", cursor]);
    assert_eq!(rest.expect(0).lines().len(), 1);
}

fn flush(place: &Place) {
    place.home.token(&["--user=ada", "--expires-in=1ms"]);
    place.home.token(&["--user=ada"]);
    let flushed = place.run(&["flush", "--format=json"]).expect(0).json();
    assert_eq!(flushed["removed"], 1, "{flushed}");
    assert_eq!(listed(place, &["--user=ada"]), 1);
}

fn check(place: &Place) {
    place.home.token(&["--user=ada"]);
    let info = place.run(&["check", "--format=json"]).expect(0).json();
    let driver = match place.kind {
        Kind::Sentinel | Kind::Cluster => "redis".to_owned(),
        kind => format!("{kind:?}").to_lowercase(),
    };
    assert_eq!(info["driver"], *driver);
    assert_eq!(info["durability"], "sync");
    let has_replicas = matches!(place.kind, Kind::Sentinel | Kind::Cluster);
    for warning in info["warnings"].as_array().unwrap() {
        // A setting of the servers that a store does well without.
        let warning = warning.as_str().unwrap();
        assert!(
            has_replicas && warning.contains("min-replicas-to-write"),
            "{warning}"
        );
    }
    assert!(
        info["namespace"].as_str().unwrap().contains(&place.name),
        "{info}"
    );
    assert_eq!(info["revocation_lag_seconds"], 0.0);
    let logged = place.run(&["check", "--verbose"]).expect(0);
    assert!(logged.err.contains("store opened"), "{logged:?}");
}
