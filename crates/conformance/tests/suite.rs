//! What the suite makes of panics, hangs, declined cases and names that do not exist.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_conformance::{
    Backend, CaseReport, Level, Outcome, Owned, Report, RunOptions, Store, Suite, from_fn,
};
use tokenkeep_core::{Clock, Error, ErrorKind, MemoryDriver, Result};

const CASE: &str = "contract::create_then_get";

fn memory() -> impl Backend {
    from_fn(|clock| async move { Ok(Owned::new(MemoryDriver::new(clock))) })
}

fn options(filter: &str) -> RunOptions {
    RunOptions {
        filter: Some(filter.to_owned()),
        threads: 2,
    }
}

fn run(suite: &Suite, filter: &str) -> Report {
    suite.run(&options(filter), &mut |_| {})
}

fn failure(report: &Report) -> &str {
    match report.cases.as_slice() {
        [
            CaseReport {
                outcome: Outcome::Failed { message },
                ..
            },
        ] => message,
        other => panic!("one case should have failed: {other:?}"),
    }
}

#[test]
fn a_run_reports_each_case_as_it_ends_and_all_in_order() {
    let mut told = Vec::new();
    let suite = Suite::new("memory", memory());
    let report = suite.run(&options("contract::create_"), &mut |case| {
        told.push(case.case);
    });
    assert!(report.is_success(), "{report:?}");
    assert!(report.cases.len() > 10, "{report:?}");
    let reported: Vec<_> = report.cases.iter().map(|case| case.case).collect();
    let listed: Vec<_> = tokenkeep_conformance::cases()
        .filter(|info| info.full_name().contains("contract::create_"))
        .map(|info| info.name)
        .collect();
    assert_eq!(reported, listed);
    told.sort_unstable();
    let mut reported = reported;
    reported.sort_unstable();
    assert_eq!(told, reported);
}

#[test]
fn a_panic_is_a_failure_with_its_message() {
    let backend = from_fn(|clock| async move {
        assert!(clock.now() < tokenkeep_core::Timestamp::MIN, "a bug here");
        Ok(Owned::new(MemoryDriver::new(clock)))
    });
    let report = run(&Suite::new("panics", backend), CASE);
    assert!(
        failure(&report).contains("panicked: a bug here"),
        "{report:?}"
    );
}

#[test]
fn a_hang_is_a_failure() {
    let backend = from_fn(|_| pending::<Result<Owned>>());
    let suite = Suite::new("hangs", backend).with_case_timeout(Duration::from_millis(50));
    let report = run(&suite, CASE);
    assert!(
        failure(&report).contains("did not end within 50ms"),
        "{report:?}"
    );
}

#[test]
fn after_five_hung_cases_the_rest_is_not_run() {
    let backend = from_fn(|_| pending::<Result<Owned>>());
    let suite = Suite::new("hangs", backend).with_case_timeout(Duration::from_millis(20));
    // Each run counts for itself.
    for _ in 0..2 {
        let mut options = options("contract::create_");
        options.threads = 1;
        let report = suite.run(&options, &mut |_| {});
        let ends_in_time = |case: &&CaseReport| match &case.outcome {
            Outcome::Failed { message } => !message.contains("did not end within 20ms"),
            _ => panic!("passed without a store: {case:?}"),
        };
        let not_run: Vec<_> = report.cases.iter().filter(ends_in_time).collect();
        assert_eq!(not_run.len() + 5, report.cases.len(), "{report:?}");
        for case in not_run {
            let message = "not run: five cases hung before".to_owned();
            assert_eq!(case.outcome, Outcome::Failed { message });
        }
    }
}

#[test]
fn a_blocked_thread_is_a_failure_and_the_run_goes_on() {
    let backend = from_fn(|clock| async move {
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        // The sender lives as long as this future: no message, and no end.
        let _ = receiver.recv();
        Ok(Owned::new(MemoryDriver::new(clock)))
    });
    let suite = Suite::new("blocks", backend).with_case_timeout(Duration::from_millis(50));
    let report = run(&suite, "contract::ids_");
    assert!(report.failed() > 1 && report.passed() == 0, "{report:?}");
}

#[test]
fn a_store_that_does_not_open_is_a_failure_with_its_causes() {
    let backend = from_fn(|_| async {
        let error = Error::new(ErrorKind::Unavailable, "no store").with_source("no server");
        Err::<Owned, _>(error)
    });
    let report = run(&Suite::new("absent", backend), CASE);
    let message = failure(&report);
    assert!(message.contains("no store: no server"), "{message}");
}

#[test]
fn what_is_declined_is_reported_with_its_reason() {
    let suite = Suite::new("memory", memory())
        .decline_level(Level::Durability, "gone with the process")
        .decline_case(CASE, "by its full name")
        .decline_case("delete_twice_is_not_found", "by its name");
    for (filter, wanted) in [
        (
            "durability::creates_survive_a_kill",
            "gone with the process",
        ),
        (CASE, "by its full name"),
        ("delete_twice_is_not_found", "by its name"),
    ] {
        let report = run(&suite, filter);
        let reason = wanted.to_owned();
        assert_eq!(report.cases[0].outcome, Outcome::Declined { reason });
        assert!(!report.is_success(), "a run that ran nothing is no success");
    }
    let suite = suite.decline_all("nothing is installed");
    let report = run(&suite, "");
    assert_eq!(report.declined(), report.cases.len());
    assert!(!report.is_success(), "a run that ran nothing is no success");
}

/// Which store a case gets says the level.
#[test]
fn a_case_that_disturbs_the_backend_has_it_alone() {
    struct Told;

    #[async_trait::async_trait]
    impl Backend for Told {
        async fn open(&self, _: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
            Err(Error::new(ErrorKind::Unavailable, "shared"))
        }

        async fn open_alone(&self, _: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
            Err(Error::new(ErrorKind::Unavailable, "alone"))
        }
    }

    let suite = Suite::new("told", Told);
    for info in tokenkeep_conformance::cases() {
        let wanted = match info.level {
            Level::Contract | Level::Concurrency => "shared",
            _ => "alone",
        };
        let report = run(&suite, &info.full_name());
        for case in report.cases {
            let Outcome::Failed { message } = &case.outcome else {
                panic!("{case:?}");
            };
            assert!(message.contains(wanted), "{case:?}");
        }
    }
}

#[test]
fn an_unknown_name_among_the_declined_is_a_problem() {
    let suite = Suite::new("memory", memory()).decline_case("no_such_case", "whatever");
    let report = run(&suite, CASE);
    assert!(report.cases.is_empty() && !report.is_success());
    assert!(report.problems[0].contains("no_such_case"), "{report:?}");
}

#[test]
fn a_filter_that_matches_nothing_is_no_success() {
    let report = run(&Suite::new("memory", memory()), "no such case");
    assert!(report.cases.is_empty() && !report.is_success());
}

#[test]
fn the_report_as_json() {
    let suite = Suite::new("memory", memory()).decline_case(CASE, "a reason");
    let report = serde_json::to_value(run(&suite, CASE)).unwrap();
    let wanted = serde_json::json!({
        "suite_version": env!("CARGO_PKG_VERSION"),
        "driver": "memory",
        "problems": [],
        "cases": [{
            "level": "contract",
            "case": "create_then_get",
            "rules": ["R2", "R4", "R5"],
            "outcome": "declined",
            "reason": "a reason",
            "millis": 0,
        }],
    });
    assert_eq!(report, wanted);
}
