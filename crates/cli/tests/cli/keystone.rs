//! Keystone v3 token bodies, as its documentation has them, taken over whole.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::Home;

fn bodies() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keystone-v3");
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 10);
    paths
}

#[test]
fn all_ten_bodies_come_back_as_they_were() {
    let home = Home::new();
    for path in bodies() {
        let text = fs::read_to_string(&path).unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        let body = &body["token"];
        let file = path.to_str().unwrap();
        let token = home.token(&["--keystone-body", file, "--expires-in=1h"]);
        let shown = home.run_with(&["show", "--format=json"], &token);
        let shown = shown.expect(0).json();
        assert_eq!(shown["user_id"], body["user"]["id"], "{file}");
        assert_eq!(shown["tenant_id"], body["project"]["id"], "{file}");
        assert_eq!(shown["domain_id"], body["domain"]["id"], "{file}");
        assert_eq!(shown["trust_id"], body["OS-TRUST:trust"]["id"], "{file}");
        assert_eq!(shown["data"], text, "{file}: byte for byte");
        let own = &body["audit_ids"][0];
        if own.is_null() {
            assert!(shown["audit_id"].is_string(), "{file}: one is minted");
        } else {
            assert_eq!(shown["audit_id"], *own, "{file}");
        }
        let chain = match &body["audit_ids"][1] {
            Value::Null => &shown["audit_id"],
            chain => chain,
        };
        assert_eq!(shown["audit_chain_id"], *chain, "{file}");
    }
}

#[test]
fn a_body_that_has_expired_says_how_to_override() {
    let home = Home::new();
    for path in bodies() {
        let refused = home.run(&["create", "--keystone-body", path.to_str().unwrap()]);
        let refused = refused.refused(2, "expires_at");
        assert!(refused.err.contains("--expires-in"), "{refused:?}");
    }
}

#[test]
fn flags_go_before_the_body_and_its_expiry_is_kept() {
    let home = Home::new();
    let body = r#"{"user": {"id": "ada"}, "project": {"id": "p"}, "OS-OAUTH1": {"consumer_id": "c"},
                   "expires_at": "2100-01-02T03:04:05.678901Z"}"#;
    let args = [
        "create",
        "--format=json",
        "--keystone-body=-",
        "--user=bob",
        "--domain=d",
    ];
    let created = home.run_with(&args, body).expect(0).json();
    for (field, value) in [
        ("user_id", "bob"),
        ("tenant_id", "p"),
        ("domain_id", "d"),
        ("consumer_id", "c"),
        ("expires_at", "2100-01-02T03:04:05.678901Z"),
    ] {
        assert_eq!(created[field], value);
    }
}

#[test]
fn a_body_and_an_own_id_cannot_both_be_standard_input() {
    let home = Home::new();
    let file = home.file("body.json", r#"{"token": {"user": {"id": "ada"}}}"#);
    let both = ["create", "--token-id-stdin", "--keystone-body"];
    let args = |body| [&both[..], &[body]].concat();
    home.run_with(&args("-"), "id")
        .refused(2, "cannot both read");
    home.run_with(&args(&file), "id").expect(0);
    assert!(home.is_valid("id"));
}

#[test]
fn a_bad_body_is_named_by_the_place() {
    let home = Home::new();
    for (body, says) in [
        ("no json", "the token body is no JSON"),
        (r#"{"token": {}}"#, "token.user is missing"),
        (
            r#"{"token": {"user": {"id": ""}}}"#,
            "token.user.id is empty",
        ),
        (r#"{"access": {}}"#, "only v3 is read"),
    ] {
        home.run_with(&["create", "--keystone-body=-"], body)
            .refused(2, says);
    }
    home.run(&["create", "--keystone-body=/nowhere"])
        .refused(2, "cannot read /nowhere");
    home.run(&["create", "--keystone-body=-", "--data=x"])
        .refused(2, "--data");
}

#[test]
fn a_body_beyond_the_stores_limit_is_refused() {
    let home = Home::new();
    let pad = "x".repeat(65_536);
    let body = format!(r#"{{"user": {{"id": "ada"}}, "pad": "{pad}"}}"#);
    home.run_with(&["create", "--keystone-body=-"], &body)
        .refused(2, "the limit is 65536");
}
