//! The conformance run and the demo: each in a place of its own.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use crate::support::{BOUND, Home, signal};

fn names_in(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn conformance_of_memory_declines_by_name_what_cannot_apply() {
    let home = Home::new();
    let report = home.run(&["conformance", "memory:", "--filter=create", "--format=json"]);
    let report = report.expect(0).json();
    assert_eq!(report["driver"], "memory");
    let cases = report["cases"].as_array().unwrap();
    let count = |outcome: &str| {
        cases
            .iter()
            .filter(|case| case["outcome"] == outcome)
            .count()
    };
    assert!(count("passed") > 5, "{report}");
    assert_eq!(count("failed"), 0);

    let durability = home.run(&["conformance", "memory:", "--filter=durability::"]);
    assert!(durability.out.contains("declined"), "{durability:?}");
    assert!(
        durability
            .out
            .contains("memory does not outlive its process")
    );
}

#[test]
fn conformance_of_a_folder_leaves_it_as_it_was() {
    let home = Home::new();
    home.create(&["--user=ada", "--store=sled:data"]);
    let before = names_in(&home.path().join("data"));
    let run = home
        .run(&["conformance", "sled:data", "--filter=contract::create"])
        .expect(0);
    assert!(run.out.contains(" 0 failed"), "{run:?}");
    assert_eq!(names_in(&home.path().join("data")), before);
    let listed = home.run(&["list", "--user=ada", "--store=sled:data", "--format=json"]);
    assert_eq!(listed.lines().len(), 1);

    home.run(&["conformance", "sled:new/one", "--filter=durability::"])
        .expect(0);
    assert!(!home.path().join("new").exists(), "what it made is gone");
}

#[test]
fn conformance_without_any_case_is_no_success() {
    let home = Home::new();
    let none = home.run(&["conformance", "memory:", "--filter=no such case"]);
    none.refused(2, "no case has a name");
    home.run(&["conformance", "memory:?x=y"])
        .refused(2, "unknown option `x`");
    home.run(&["conformance"]).refused(2, "--store URL");
    home.run(&["conformance", "memory:", "--store=memory:"])
        .refused(2, "named twice");
}

#[test]
fn the_backend_to_test_may_be_named_as_everywhere() {
    let home = Home::new();
    let filter = "contract::create";
    let run = home.run(&["conformance", "--filter", filter, "--store=memory:"]);
    assert!(run.expect(0).out.contains("driver memory"));
    home.run(&["conformance", "--store=memory:?x=y"])
        .refused(2, "unknown option `x`");
}

#[test]
fn the_cases_are_listed_by_name() {
    let home = Home::new();
    let all = home.run(&["conformance", "--list"]).expect(0).out;
    assert!(all.lines().count() > 50, "{all}");
    assert!(all.lines().all(|line| line.contains("::")), "{all}");
    let some = [
        "conformance",
        "--list",
        "--filter=faults::",
        "--format=json",
    ];
    let some = home.run(&some).expect(0).lines();
    let faults = all.lines().filter(|line| line.starts_with("faults::"));
    let names: Vec<_> = some
        .iter()
        .map(|line| line["case"].as_str().unwrap())
        .collect();
    assert_eq!(names, faults.collect::<Vec<_>>());
    assert!(
        some.iter()
            .all(|line| !line["rules"].as_array().unwrap().is_empty())
    );
    home.run(&["conformance", "--list", "--filter=nosuch"])
        .refused(2, "no case has a name");
}

#[test]
fn the_demo_counts_right_twice_and_leaves_the_store_alone() {
    let home = Home::new();
    let mine = home.token(&["--user=user-0"]);
    let before = names_in(&home.path().join("tokenkeep-data"));
    for _ in 0..2 {
        let told = home
            .run(&["demo", "--tokens=200", "--format=json"])
            .expect(0);
        let lines = told.lines();
        let steps: Vec<_> = lines
            .iter()
            .map(|line| line["step"].as_str().unwrap())
            .collect();
        assert_eq!(
            steps,
            [
                "issue",
                "validate",
                "rotate",
                "revoke",
                "list_revoked",
                "expire_some",
                "expire_all",
                "end"
            ]
        );
        assert!(lines.iter().all(|line| line["ok"] == true), "{told:?}");
        let figures = lines
            .iter()
            .filter_map(|line| line["figures"].as_array())
            .flatten();
        assert!(
            figures
                .clone()
                .all(|figure| figure["expected"] == figure["found"])
        );
        assert!(
            figures.filter(|figure| figure["found"] != 0).count() > 10,
            "{told:?}"
        );
        assert_eq!(lines.last().unwrap()["remains"], Value::Null);
    }
    assert_eq!(names_in(&home.path().join("tokenkeep-data")), before);
    assert!(
        home.is_valid(&mine),
        "a user of the same name is not touched"
    );
}

#[test]
fn the_demo_tells_people_what_it_does() {
    let home = Home::new();
    let told = home
        .run(&["demo", "--tokens=100", "--store=memory:"])
        .expect(0);
    for part in [
        "1. Issue 100 tokens",
        "as counted",
        "7. An hour later",
        "every figure is as counted",
    ] {
        assert!(told.out.contains(part), "{part}: {told:?}");
    }
    home.run(&["demo", "--tokens=1"]).refused(2, "--tokens");
}

#[test]
fn ended_early_the_demo_and_the_suite_clean_up() {
    let home = Home::new();
    let demo = ["demo", "--tokens=1000000", "--store=sled:data"];
    let conformance = ["conformance", "sled:data", "--format=table"];
    for (args, name) in [
        (demo, "INT"),
        (demo, "TERM"),
        (conformance, "INT"),
        (conformance, "HUP"),
    ] {
        let mut running = home.spawnable(&args).spawn().unwrap();
        let data = home.path().join("data");
        let began = Instant::now();
        while names_in(&data).is_empty() {
            assert!(began.elapsed() < BOUND, "{args:?}: it made no folder");
            assert!(
                running.try_wait().unwrap().is_none(),
                "{args:?}: it ended by itself"
            );
            std::thread::yield_now();
        }
        signal(&running, name);
        let ended = running.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130), "{args:?}");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(told, "", "{args:?}: the store is closed before it goes");
        assert_eq!(names_in(&data), Vec::<String>::new(), "{args:?}");
    }
}
