//! The demo and the conformance run: each in a place of its own, of which nothing remains.

use std::time::Instant;

use serde_json::Value;

use crate::place::{Kind, Place, Test};
use crate::redis;
use crate::support::{BOUND, signal};

pub(crate) const TESTS: &[Test] = &[
    ("the_demo_counts_right_and_leaves_nothing", demo),
    ("the_demo_ended_early_leaves_nothing", demo_ended),
    ("the_suite_passes_and_leaves_nothing", suite),
];

/// On several servers, which take long to start.
pub(crate) const SEVERAL_TESTS: &[Test] = &[("demo_and_suite_leave_nothing", demo_and_suite)];

pub(crate) const SERVER_TESTS: &[Test] = &[("what_remains_is_named_with_its_removal", remains)];

fn demo(place: &Place) {
    place.run(&["create", "--user=user-0"]).expect(0);
    let before = place.namespaces();
    let told = place
        .run(&["demo", "--tokens=300", "--format=json"])
        .expect(0);
    let lines = told.lines();
    assert_eq!(lines.len(), 8, "{told:?}");
    assert!(lines.iter().all(|line| line["ok"] == true), "{told:?}");
    assert_eq!(lines[7]["remains"], Value::Null, "{told:?}");
    assert_eq!(place.namespaces(), before);
    let mine = place.run(&["list", "--user=user-0", "--format=json"]);
    assert_eq!(mine.expect(0).lines().len(), 1);
}

fn demo_and_suite(place: &Place) {
    demo(place);
    suite(place);
}

fn demo_ended(place: &Place) {
    let before = place.namespaces();
    let demo = ["demo", "--tokens=1000000"];
    let mut running = place.home.spawnable(&demo).spawn().unwrap();
    let began = Instant::now();
    while place.namespaces() == before {
        assert!(began.elapsed() < BOUND, "it made no place");
        assert!(running.try_wait().unwrap().is_none(), "it ended by itself");
    }
    signal(&running, "INT");
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(place.namespaces(), before);
}

fn remains(place: &Place) {
    let before = place.namespaces();
    let demo = ["demo", "--tokens=1000000"];
    let mut running = place.home.spawnable(&demo).spawn().unwrap();
    let began = Instant::now();
    while place.namespaces() == before {
        assert!(began.elapsed() < BOUND, "it made no place");
        assert!(running.try_wait().unwrap().is_none(), "it ended by itself");
    }
    place.server().kill().unwrap();
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    let told = String::from_utf8_lossy(&ended.stderr);
    let (_, statement) = told.rsplit_once("This removes them").unwrap();
    let (_, statement) = statement.split_once(": ").unwrap();
    place.server().restart().unwrap();
    assert_ne!(place.namespaces(), before);
    if place.is_redis() {
        redis::client(place.server(), statement.trim());
    } else {
        place.server().sql(statement.trim()).unwrap();
    }
    assert_eq!(place.namespaces(), before, "{told}");
}

/// A case of each level, with every hook among them.
fn suite(place: &Place) {
    if place.is_redis() {
        return redis_suite(place);
    }
    let before = place.namespaces();
    for filter in [
        "contract::a_neighbour_",
        "contract::what_is_stored",
        "_survive_a_kill",
        "faults::a_frozen_backend_bounds_every",
        "faults::a_started_backend_is_used",
        "faults::a_read_only_backend_",
        "faults::a_writable_backend_",
    ] {
        passes(place, &place.url, filter);
        assert_eq!(place.namespaces(), before, "{filter}");
    }
}

/// Redis has no table that could refuse writes, and its sentinels and nodes lead past a gate.
fn redis_suite(place: &Place) {
    let before = place.namespaces();
    for filter in [
        "contract::a_neighbour_",
        "contract::what_is_stored",
        "creates_survive_a_kill",
        "rotations_survive_a_kill",
    ] {
        passes(place, &place.url, filter);
        assert_eq!(place.namespaces(), before, "{filter}");
    }
    let behind_a_gate = [
        "faults::a_frozen_backend_bounds_every",
        "faults::a_started_backend_is_used",
    ];
    for filter in behind_a_gate {
        if place.kind == Kind::Redis {
            passes(place, &place.url, filter);
        } else {
            declines(place, filter, "led past it");
        }
        assert_eq!(place.namespaces(), before, "{filter}");
    }
    for filter in [
        "faults::a_read_only_backend_",
        "faults::a_writable_backend_",
    ] {
        declines(place, filter, "");
    }
    assert_eq!(place.namespaces(), before);
}

/// Runs the cases with this in their names, and checks that all are declined for this reason.
fn declines(place: &Place, filter: &str, reason: &str) {
    let answer = place.run(&[
        "conformance",
        &place.url,
        "--format=json",
        "--filter",
        filter,
    ]);
    let report = answer.json();
    let cases = report["cases"].as_array().unwrap();
    assert!(!cases.is_empty(), "{filter}");
    for case in cases {
        assert_eq!(case["outcome"], "declined", "{filter}: {case:#}");
        let told = case["reason"].as_str().unwrap();
        assert!(told.contains(reason), "{filter}: {told}");
    }
}

/// Runs the cases with this in their names, and checks that all pass.
pub(crate) fn passes(place: &Place, url: &str, filter: &str) {
    let answer = place.run(&["conformance", url, "--format=json", "--filter", filter]);
    let report = answer.json();
    assert_eq!(answer.code, 0, "{filter}: {report:#}");
    let cases = report["cases"].as_array().unwrap();
    assert!(!cases.is_empty(), "{filter}");
    for case in cases {
        assert_eq!(case["outcome"], "passed", "{filter}: {case:#}");
    }
}
