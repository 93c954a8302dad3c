//! One token: create, validate, show, revoke.

use serde_json::{Value, json};

use crate::support::{Answer, Home};

#[test]
fn a_created_token_is_alone_on_standard_output() {
    let home = Home::new();
    let answer = home
        .run(&["create", "--user", "ada", "--tenant", "engines"])
        .expect(0);
    let token = answer.out.strip_suffix('\n').unwrap();
    assert!(
        token.starts_with("tkp_") && !token.contains('\n'),
        "{answer:?}"
    );
    assert!(answer.err.contains("ada") && answer.err.contains("engines"));
    assert!(!answer.err.contains(token), "the secret is told once");
    assert!(home.is_valid(token));
}

#[test]
fn in_json_a_created_token_has_every_field() {
    let home = Home::new();
    let created = home.create(&[
        "--user=ada",
        "--tenant=engines",
        "--domain=maths",
        "--trust=babbage",
        "--consumer=loom",
        "--data=hello",
        "--expires-at=2100-01-02T05:04:05.1234567+02:00",
    ]);
    for (field, value) in [
        ("user_id", "ada"),
        ("tenant_id", "engines"),
        ("domain_id", "maths"),
        ("trust_id", "babbage"),
        ("consumer_id", "loom"),
        ("expires_at", "2100-01-02T03:04:05.123456Z"),
    ] {
        assert_eq!(created[field], value);
    }
    assert!(created["token"].as_str().unwrap().len() > 40);
    assert_eq!(created["audit_id"], created["audit_chain_id"]);
    assert!(created["issued_at"].as_str().unwrap().ends_with('Z'));
    assert!(created.get("data").is_none());

    let bare = home.create(&["--user=ada"]);
    for field in ["tenant_id", "domain_id", "trust_id", "consumer_id"] {
        assert_eq!(bare[field], Value::Null);
    }
}

#[test]
fn expires_in_counts_from_now() {
    let home = Home::new();
    let created = home.create(&["--user=ada", "--expires-in=90m"]);
    let instant = |field: &str| {
        let text = created[field].as_str().unwrap();
        text.parse::<tokenkeep::Timestamp>().unwrap()
    };
    let life = instant("expires_at").saturating_since(instant("issued_at"));
    assert_eq!(life.as_secs(), 90 * 60);
}

#[test]
fn a_callers_own_id_is_one_line_from_standard_input() {
    let home = Home::new();
    let create = ["create", "--user=ada", "--token-id-stdin", "--format=json"];
    let created = home.run_with(&create, "my own id\r\n").expect(0);
    assert!(created.err.contains("digest.key_file"), "{created:?}");
    let created = created.json();
    assert_eq!(created["token"], "my own id");
    assert!(home.is_valid("my own id"));
    assert!(!home.is_valid("my own id "));

    let again = home.run_with(&create, "my own id\n");
    again.refused(1, "AlreadyExists: an unexpired token has this id");
    let key = home.file("key", &"k".repeat(32));
    let mut keyed = home.command(&create);
    keyed
        .env("TOKENKEEP_DIGEST__KEY_FILE", key)
        .write_stdin("id");
    assert_eq!(Answer::of(keyed).expect(0).err, "");
    home.run_with(&create, "two\nlines\n")
        .refused(2, "is not one line");
    home.run_with(&create, "").refused(2, "token id is empty");
    let long = "x".repeat(8_193);
    let refused = home.run_with(&create, &long).refused(2, "8193 bytes long");
    assert!(!refused.err.contains("xxxx"), "no part of a secret is told");
}

#[test]
fn validate_answers_by_words_and_by_exit_code() {
    let home = Home::new();
    let token = home.token(&["--user=ada"]);
    let valid = home.run_with(&["validate"], &token).expect(0);
    assert!(valid.out.starts_with("valid\n") && valid.out.contains("ada"));
    let json = home.run_with(&["validate", "--format=json"], &token);
    let json = json.expect(0).json();
    assert_eq!(
        (&json["valid"], &json["user_id"]),
        (&json!(true), &json!("ada"))
    );

    for unknown in ["tkp_unknown", "", "\u{1b}", &"x".repeat(10_000)] {
        let invalid = home.run_with(&["validate"], unknown).expect(1);
        assert_eq!(
            (invalid.out.as_str(), invalid.err.as_str()),
            ("invalid\n", "")
        );
        let json = home.run_with(&["validate", "--format=json"], unknown);
        assert_eq!(json.expect(1).json(), json!({"valid": false}));
    }
}

#[test]
fn a_token_may_lie_in_a_file() {
    let home = Home::new();
    let token = home.token(&["--user=ada"]);
    let file = home.file("token", &format!("{token}\n"));
    home.run(&["validate", "--token-file", &file]).expect(0);
    home.run_with(&["validate", "--token-file=-"], &token)
        .expect(0);
    home.run(&["revoke", "--token-file", &file]).expect(0);
    home.run(&["validate", "--token-file", &file]).expect(1);
    home.run(&["validate", "--token-file", "/nowhere/token"])
        .refused(2, "cannot read /nowhere/token");
}

#[test]
fn a_token_as_an_argument_is_refused_and_not_repeated() {
    let home = Home::new();
    for command in ["validate", "show", "revoke"] {
        let refused = home
            .run(&[command, "tkp_s3cret"])
            .refused(2, "standard input");
        assert!(!refused.err.contains("s3cret"));
    }
}

#[test]
fn show_gives_everything_that_is_kept() {
    let home = Home::new();
    let created = home.create(&["--user=ada", "--trust=t", "--data=grüße\n"]);
    let token = created["token"].as_str().unwrap();
    let shown = home
        .run_with(&["show", "--format=json"], token)
        .expect(0)
        .json();
    for field in ["audit_id", "user_id", "trust_id", "issued_at", "expires_at"] {
        assert_eq!(shown[field], created[field]);
    }
    assert_eq!(shown["data"], "grüße\n");
    assert_eq!(shown["data_encoding"], "utf-8");
    assert_eq!(shown["version"], 1);
    assert!(shown.get("token").is_none());

    let table = home.run_with(&["show"], token).expect(0);
    assert!(table.out.contains("grüße\\n") && table.out.contains("ada"));
    home.run_with(&["show"], "unknown").refused(1, "NotFound");
}

#[test]
fn revoke_by_secret_is_final() {
    let home = Home::new();
    let token = home.token(&["--user=ada"]);
    let revoked = home.run_with(&["revoke", "--format=json"], &token);
    assert_eq!(revoked.expect(0).json(), json!({"revoked": 1}));
    assert!(!home.is_valid(&token));
    home.run_with(&["revoke"], &token).refused(1, "NotFound");
}

#[test]
fn revoke_by_audit_id_needs_the_user_too() {
    let home = Home::new();
    let created = home.create(&["--user=ada"]);
    let other = home.token(&["--user=ada"]);
    let audit_id = created["audit_id"].as_str().unwrap();
    home.run(&["revoke", "--audit-id", audit_id]).expect(2);
    home.run(&["revoke", "--audit-id", audit_id, "--user=bob"])
        .refused(1, "NotFound");
    let revoked = home.run(&["revoke", "--audit-id", audit_id, "--user=ada"]);
    assert_eq!(revoked.expect(0).out, "revoked 1 token\n");
    assert!(!home.is_valid(created["token"].as_str().unwrap()));
    assert!(home.is_valid(&other));
}

#[test]
fn ids_that_are_empty_or_over_long_are_named() {
    let home = Home::new();
    let long = "é".repeat(128);
    for (flag, field) in [
        ("--user", "user_id"),
        ("--tenant", "tenant_id"),
        ("--domain", "domain_id"),
        ("--trust", "trust_id"),
        ("--consumer", "consumer_id"),
    ] {
        for (value, problem) in [
            ("", "is empty"),
            (&long, "is 256 bytes long; the limit is 255"),
        ] {
            let mut args = vec!["create", flag, value];
            if flag != "--user" {
                args.extend(["--user", "ada"]);
            }
            home.run(&args).refused(2, &format!("{field} {problem}"));
            let list = home.run(&["list", flag, value]);
            list.refused(2, &format!("{flag} {problem}"));
        }
    }
}

#[test]
fn impossible_lives_are_refused() {
    let home = Home::new();
    let create = |args: &[&str]| {
        let mut all = vec!["create", "--user=ada"];
        all.extend(args);
        home.run(&all)
    };
    create(&["--expires-in=0s"]).refused(2, "expires_at is not in the future");
    create(&["--expires-at=2001-01-01T00:00:00Z"]).refused(2, "expires_at is not in the future");
    create(&["--expires-at=tomorrow"]).refused(2, "is no RFC 3339 instant");
    create(&["--expires-in=soon"]).refused(2, "--expires-in");
    create(&["--expires-in=1h", "--expires-at=2100-01-01T00:00:00Z"]).refused(2, "cannot be used");
    home.run(&["create"]).refused(2, "--user");
}
