//! Many tokens: list, revoke-tokens, revoked, flush.

use serde_json::{Value, json};

use crate::support::Home;

fn audit_ids(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["audit_id"].as_str().unwrap())
        .collect()
}

#[test]
fn list_takes_every_part_of_a_filter() {
    let home = Home::new();
    let one = home.create(&[
        "--user=ada",
        "--tenant=t",
        "--domain=d",
        "--trust=r",
        "--consumer=c",
    ]);
    home.create(&["--user=ada"]);
    home.create(&["--user=bob"]);
    let count = |args: &[&str]| {
        let mut all = vec!["list", "--format=json"];
        all.extend(args);
        home.run(&all).expect(0).lines().len()
    };
    assert_eq!(count(&["--user=ada"]), 2);
    for anchor in ["--tenant=t", "--domain=d", "--trust=r", "--consumer=c"] {
        assert_eq!(count(&[anchor]), 1);
    }
    assert_eq!(count(&["--user=ada", "--tenant=other"]), 0);
    let audit_id = one["audit_id"].as_str().unwrap();
    assert_eq!(count(&["--user=ada", "--audit-id", audit_id]), 1);
    assert_eq!(count(&["--user=ada", "--audit-chain", audit_id]), 1);
    assert_eq!(
        count(&["--user=ada", "--issued-before=2001-01-01T00:00:00Z"]),
        0
    );
    assert_eq!(
        count(&["--user=ada", "--issued-before=2100-01-01T00:00:00Z"]),
        2
    );
}

#[test]
fn list_is_a_table_for_people() {
    let home = Home::new();
    home.create(&["--user=ada lovelace", "--tenant=engines"]);
    let listed = home.run(&["list", "--user=ada lovelace"]).expect(0);
    let lines: Vec<_> = listed.out.lines().collect();
    assert_eq!(lines.len(), 2, "{listed:?}");
    let column = lines[0].find("USER").unwrap();
    assert!(lines[1][column..].starts_with("ada lovelace"));
    assert!(!listed.out.contains('\x1b'), "no colour but on a terminal");
}

#[test]
fn a_terminal_is_not_commanded_by_ids() {
    let home = Home::new();
    home.create(&["--user=ada", "--tenant=\x1b[2J\n"]);
    let listed = home.run(&["list", "--user=ada"]).expect(0);
    assert!(listed.out.contains("\\u{1b}[2J\\n"), "{listed:?}");
    assert_eq!(listed.out.lines().count(), 2);
}

#[test]
fn a_limited_list_goes_on_where_it_ended() {
    let home = Home::new();
    for _ in 0..5 {
        home.create(&["--user=ada"]);
    }
    let mut seen: Vec<String> = Vec::new();
    let mut cursor = None::<String>;
    for expected in [2, 2, 1] {
        let mut args = vec!["list", "--user=ada", "--format=json", "--limit=2"];
        if let Some(cursor) = &cursor {
            args.extend(["--cursor", cursor.as_str()]);
        }
        let lines = home.run(&args).expect(0).lines();
        assert_eq!(lines.len(), expected);
        seen.extend(audit_ids(&lines).into_iter().map(str::to_owned));
        let ends: Vec<_> = lines
            .iter()
            .filter(|line| line.get("cursor").is_some())
            .collect();
        assert_eq!(ends.len(), 1, "only the last line of a page has a cursor");
        cursor = lines.last().unwrap()["cursor"].as_str().map(str::to_owned);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);

    let table = home.run(&["list", "--user=ada", "--limit=2"]).expect(0);
    assert!(table.err.contains("--cursor "), "{table:?}");
    assert_eq!(table.out.lines().count(), 3);
}

#[test]
fn a_cursor_from_elsewhere_is_refused() {
    let home = Home::new();
    home.create(&["--user=ada"]);
    home.create(&["--user=ada"]);
    let page = home.run(&["list", "--user=ada", "--format=json", "--limit=1"]);
    let cursor = page.lines()[0]["cursor"].as_str().unwrap().to_owned();
    let says = "cursor was not given by this listing of this store";
    for cursor in [cursor.as_str(), "zz", "00", ""] {
        home.run(&["list", "--user=bob", "--cursor", cursor])
            .refused(2, says);
        home.run(&["revoked", "--cursor", cursor]).refused(2, says);
    }
    let elsewhere = Home::new();
    elsewhere.create(&["--user=ada"]);
    elsewhere
        .run(&["list", "--user=ada", "--cursor", &cursor])
        .refused(2, says);
}

#[test]
fn a_filter_without_an_anchor_is_wrong_usage() {
    let home = Home::new();
    for args in [
        vec!["list"],
        vec!["list", "--audit-id=a"],
        vec!["revoke-tokens", "--yes"],
        vec![
            "revoke-tokens",
            "--yes",
            "--issued-before=2100-01-01T00:00:00Z",
        ],
    ] {
        home.run(&args)
            .refused(2, "at least one of --user, --tenant");
    }
    assert!(
        !home.path().join("tokenkeep-data").exists(),
        "nothing was opened"
    );
}

#[test]
fn revoke_tokens_asks_unless_told_not_to() {
    let home = Home::new();
    let token = home.token(&["--user=ada"]);
    home.run_with(&["revoke-tokens", "--user=ada"], "y\n")
        .refused(2, "give --yes");
    assert!(home.is_valid(&token));
    let revoked = home
        .run(&["revoke-tokens", "--user=ada", "--yes"])
        .expect(0);
    assert_eq!(revoked.out, "revoked 1 token\n");
    assert!(!home.is_valid(&token));
    let none = home.run(&["revoke-tokens", "--user=ada", "--yes", "--format=json"]);
    assert_eq!(none.expect(0).json(), json!({"revoked": 0}));
}

#[test]
fn a_dry_run_lists_and_counts_and_leaves_alone() {
    let home = Home::new();
    let token = home.token(&["--user=ada", "--tenant=t"]);
    home.create(&["--user=ada"]);
    let dry = home.run(&["revoke-tokens", "--user=ada", "--dry-run", "--format=json"]);
    let lines = dry.expect(0).lines();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2], json!({"would_revoke": 2}));
    let dry = home
        .run(&["revoke-tokens", "--tenant=t", "--dry-run"])
        .expect(0);
    assert!(dry.out.ends_with("would revoke 1 token\n"), "{dry:?}");
    assert!(home.is_valid(&token));
}

#[test]
fn revocations_are_listed_in_order_and_resumed() {
    let home = Home::new();
    let revoke = |user: &str| {
        let created = home.create(&["--user", user]);
        home.run_with(&["revoke"], created["token"].as_str().unwrap())
            .expect(0);
        created["audit_id"].as_str().unwrap().to_owned()
    };
    let first = [revoke("ada"), revoke("bob")];
    let lines = home.run(&["revoked", "--format=json"]).expect(0).lines();
    assert_eq!(audit_ids(&lines), first);
    assert_eq!(lines[1]["user_id"], "bob");
    let cursor = lines[1]["cursor"].as_str().unwrap();
    let none = home
        .run(&["revoked", "--format=json", "--cursor", cursor])
        .expect(0);
    assert_eq!(none.out, "");
    let later = revoke("eve");
    let lines = home
        .run(&["revoked", "--format=json", "--cursor", cursor])
        .expect(0)
        .lines();
    assert_eq!(audit_ids(&lines), [later]);

    let table = home.run(&["revoked"]).expect(0);
    assert_eq!(table.out.lines().count(), 4);
    assert!(table.out.contains("REVOKED AT") && table.out.contains("eve"));
    let limited = home.run(&["revoked", "--format=json", "--limit=2"]);
    assert_eq!(audit_ids(&limited.expect(0).lines()), first);
    home.run(&["revoked", "--limit=0"]).refused(2, "--limit");
}

#[test]
fn flush_counts_what_went() {
    let home = Home::new();
    home.create(&["--user=ada", "--expires-in=1ms"]);
    home.create(&["--user=ada", "--expires-in=1ms"]);
    home.create(&["--user=ada"]);
    let flushed = home.run(&["flush", "--format=json", "--batch=1"]).expect(0);
    assert_eq!(flushed.json(), json!({"removed": 2}));
    assert_eq!(flushed.err, "", "no progress bar but on a terminal");
    let flushed = home.run(&["flush"]).expect(0);
    assert_eq!(flushed.out, "removed 0 tokens that had expired\n");
    assert_eq!(
        home.run(&["list", "--user=ada", "--format=json"])
            .lines()
            .len(),
        1
    );
    home.run(&["flush", "--batch=0"]).refused(2, "--batch");
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let home = Home::new();
    for _ in 0..3 {
        home.create(&["--user=ada"]);
    }
    for args in [
        ["list", "--user=ada", "--format=json"],
        ["list", "--user=ada", "--format=table"],
        ["completions", "bash", "--format=table"],
    ] {
        // The reading end is gone before the program writes.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = home.spawnable(&args).stdout(writer).spawn().unwrap();
        let ended = ended.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{args:?}: {told}");
        assert_eq!(told, "", "{args:?}");
    }
}
