//! `revoked --follow`.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout};

use serde_json::Value;

use crate::support::{Home, signal};

/// Creates a token and revokes it; gives its audit id.
fn revoke(home: &Home) -> String {
    let created = home.create(&["--user=ada"]);
    home.run_with(&["revoke"], created["token"].as_str().unwrap())
        .expect(0);
    created["audit_id"].as_str().unwrap().to_owned()
}

fn follow(home: &Home, args: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let all = [&["revoked", "--follow", "--interval=20ms"], args].concat();
    let mut following = home.spawnable(&all).spawn().unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    (following, lines)
}

fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = lines.next().unwrap().unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_followed_feed_goes_on_until_interrupted() {
    let home = Home::new();
    let first = revoke(&home);
    let (mut following, mut lines) = follow(&home, &["--format=json"]);
    let told = next(&mut lines);
    assert_eq!(told["audit_id"], *first);
    assert!(told["cursor"].is_string());
    assert!(following.try_wait().unwrap().is_none(), "it goes on");

    let second = revoke(&home);
    let told = next(&mut lines);
    assert_eq!(told["audit_id"], *second, "others write in between");

    signal(&following, "INT");
    let ended = following.wait().unwrap();
    assert_eq!(ended.code(), Some(0), "that is how a feed ends");
}

#[test]
fn interrupted_it_says_how_to_go_on() {
    let home = Home::new();
    revoke(&home);
    let (mut following, mut lines) = follow(&home, &[]);
    lines.nth(1).unwrap().unwrap();
    signal(&following, "TERM");
    assert_eq!(following.wait().unwrap().code(), Some(0));
    let mut told = String::new();
    let mut err = following.stderr.take().unwrap();
    err.read_to_string(&mut told).unwrap();
    let cursor = told.trim_end().rsplit(' ').next().unwrap();
    let later = revoke(&home);
    let rest = home.run(&["revoked", "--format=json", "--cursor", cursor]);
    let rest = rest.expect(0).lines();
    assert_eq!((rest.len(), &rest[0]["audit_id"]), (1, &Value::from(later)));
}

#[test]
fn it_ends_at_its_limit_and_looks_at_intervals() {
    let home = Home::new();
    revoke(&home);
    let (mut following, lines) = follow(&home, &["--format=json", "--limit=1"]);
    assert_eq!(lines.count(), 1);
    assert_eq!(following.wait().unwrap().code(), Some(0));
    home.run(&["revoked", "--follow", "--interval=0s"])
        .refused(2, "--interval");
}

#[test]
fn it_outlasts_a_store_that_cannot_be_used() {
    let home = Home::new();
    let first = revoke(&home);
    let (mut following, mut lines) = follow(&home, &["--format=json"]);
    assert_eq!(next(&mut lines)["audit_id"], *first);
    let mut told = BufReader::new(following.stderr.take().unwrap()).lines();

    let folder = std::fs::read_dir(home.path().join("tokenkeep-data")).unwrap();
    let held: Vec<_> = folder
        .map(|entry| std::fs::File::open(entry.unwrap().path()).unwrap())
        .inspect(|file| file.lock().unwrap())
        .collect();
    let outage = told.next().unwrap().unwrap();
    assert!(
        outage.contains("in use") && outage.contains("trying again"),
        "{outage}"
    );
    drop(held);
    let answers = told.next().unwrap().unwrap();
    assert!(answers.contains("can be used again"), "{answers}");

    let second = revoke(&home);
    assert_eq!(next(&mut lines)["audit_id"], *second, "where it stood");
    signal(&following, "INT");
    assert_eq!(following.wait().unwrap().code(), Some(0));
    assert!(told.next().is_none(), "once for all failures in a row");
}
