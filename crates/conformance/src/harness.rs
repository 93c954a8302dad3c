//! The suite as a test program of its own.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::case::Case;
use crate::cases;
use crate::report::{CaseReport, Outcome, Report};
use crate::suite::Suite;

/// Names the file that the report is written to.
const REPORT_VARIABLE: &str = "TOKENKEEP_CONFORMANCE_REPORT";

/// What the built-in harness answers when a test fails.
const FAILED: u8 = 101;

type Reports = Arc<Mutex<Vec<CaseReport>>>;

pub(crate) fn main(suite: Arc<Suite>) -> ExitCode {
    let arguments = Arguments::from_args();
    let reports = Reports::default();
    let mut problems = suite.problems();
    let mut failed = !problems.is_empty();
    if problems.is_empty() {
        let trials = cases::all()
            .map(|case| trial(case, Arc::clone(&suite), Arc::clone(&reports)))
            .collect();
        failed = libtest_mimic::run(&arguments, trials).has_failed();
        let reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
        problems.extend(nothing_ran(&suite, &arguments, &reports));
    }
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    let reports = std::mem::take(&mut *reports.lock().unwrap_or_else(PoisonError::into_inner));
    failed |= !problems.is_empty();
    let report = Report::new(suite.driver_name(), problems, reports);
    if let Some(file) = env::var_os(REPORT_VARIABLE).filter(|_| !arguments.list) {
        failed |= !write(&report, &file);
    }
    if failed {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    }
}

fn trial(case: &'static Case, suite: Arc<Suite>, reports: Reports) -> Trial {
    Trial::ignorable_test(case.info.full_name(), move || {
        let report = suite.run_one(case);
        let outcome = report.outcome.clone();
        reports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(report);
        match outcome {
            Outcome::Passed => Ok(Completion::Completed),
            Outcome::Declined { reason } => Ok(Completion::ignored_with(reason)),
            Outcome::Failed { message } => {
                let rules = case.info.rules.join(", ");
                Err(Failed::from(format!("breaks {rules}: {message}")))
            }
        }
    })
}

/// A run that ran no case proves nothing, and is no success unless that was meant.
fn nothing_ran(suite: &Suite, arguments: &Arguments, reports: &[CaseReport]) -> Option<String> {
    if suite.is_declined() {
        return None;
    }
    let declined = |report: &CaseReport| matches!(report.outcome, Outcome::Declined { .. });
    if arguments.list || !reports.iter().all(declined) {
        return None;
    }
    // nextest starts the program once for each case, declined ones included.
    if arguments.exact && !reports.is_empty() {
        return None;
    }
    Some("no case ran: the filter matches none, or all are declined".to_owned())
}

fn write(report: &Report, file: &OsStr) -> bool {
    let written = serde_json::to_vec_pretty(report)
        .map_err(std::io::Error::from)
        .and_then(|json| fs::write(file, json));
    if let Err(error) = &written {
        eprintln!(
            "error: cannot write the report to {}: {error}",
            file.display()
        );
    }
    written.is_ok()
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::MemoryDriver;

    use super::*;
    use crate::backend::{Owned, from_fn};

    fn suite() -> Suite {
        let backend = from_fn(|clock| async move { Ok(Owned::new(MemoryDriver::new(clock))) });
        Suite::new("memory", backend)
    }

    fn report(outcome: Outcome) -> CaseReport {
        let info = cases::all().next().unwrap().info;
        CaseReport::new(&info, outcome, 0)
    }

    fn declined() -> CaseReport {
        let reason = "a reason".to_owned();
        report(Outcome::Declined { reason })
    }

    fn arguments(arguments: &[&str]) -> Arguments {
        let program = ["program"].into_iter();
        Arguments::from_iter(program.chain(arguments.iter().copied()))
    }

    #[test]
    fn a_run_in_which_nothing_ran_is_no_success() {
        for filter in [&[][..], &["name"], &["--exact", "name"]] {
            let filter = arguments(filter);
            assert!(nothing_ran(&suite(), &filter, &[]).is_some());
        }
        assert!(nothing_ran(&suite(), &arguments(&[]), &[declined()]).is_some());
        let both = [declined(), report(Outcome::Passed)];
        assert!(nothing_ran(&suite(), &arguments(&[]), &both).is_none());
    }

    #[test]
    fn a_declined_case_may_be_asked_for_by_its_name() {
        let exact = arguments(&["--exact", "name"]);
        assert!(nothing_ran(&suite(), &exact, &[declined()]).is_none());
        assert!(nothing_ran(&suite(), &arguments(&["--list"]), &[]).is_none());
    }

    #[test]
    fn all_may_be_declined_on_purpose() {
        let suite = suite().decline_all("a reason");
        assert!(nothing_ran(&suite, &arguments(&[]), &[declined()]).is_none());
    }
}
