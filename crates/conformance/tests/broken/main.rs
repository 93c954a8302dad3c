//! The suite is tested too: each driver here has one fault, which the case named for it must find.
//!
//! A fault counts as found if that case fails on the faulty driver, other than by not ending, and
//! passes on the same driver without the fault.

mod bulk;
mod creates;
mod fault;
mod feeds;
mod flushes;
mod listings;
mod notes;
mod replaces;
mod revocations;
mod rotations;
mod stores;
mod told;
mod values;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use tokenkeep_conformance::{Backend, CaseReport, Outcome, Owned, RunOptions, Suite, from_fn};
use tokenkeep_core::{Clock, MemoryDriver};

use crate::fault::{Broken, Fault};

fn main() -> ExitCode {
    let files = [
        creates::faults(),
        replaces::faults(),
        revocations::faults(),
        bulk::faults(),
        listings::faults(),
        feeds::faults(),
        rotations::faults(),
        flushes::faults(),
        values::faults(),
        stores::faults(),
        told::trials(),
    ];
    let trials = files.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The test that this case finds this fault.
fn found_by<F: Fault>(case: &'static str) -> Trial {
    let name = std::any::type_name::<F>().rsplit("::").next();
    found_in(name.unwrap_or_default(), case, || {
        from_fn(|clock: Arc<dyn Clock>| async move {
            let driver = Broken::<F>::new(Arc::clone(&clock));
            Ok(Owned::new(driver.handle())
                .with_second_handle(driver)
                .with_neighbour(MemoryDriver::new(clock)))
        })
    })
}

/// The test that this case finds a fault of this backend.
fn found_in<B: Backend>(
    fault: &str,
    case: &'static str,
    backend: impl FnOnce() -> B + Send + 'static,
) -> Trial {
    Trial::test(format!("{fault} by {case}"), move || {
        let sound = run(sound(), case)?;
        if sound.outcome != Outcome::Passed {
            return Err(format!("fails without the fault: {:?}", sound.outcome).into());
        }
        match run(backend(), case)?.outcome {
            Outcome::Failed { message } if message.contains("did not end") => {
                Err(format!("found by its bound alone: {message}").into())
            }
            Outcome::Failed { .. } => Ok(()),
            other => Err(format!("the fault was not found: {other:?}").into()),
        }
    })
}

fn sound() -> impl Backend {
    from_fn(|clock: Arc<dyn Clock>| async move {
        let driver = MemoryDriver::new(Arc::clone(&clock));
        Ok(Owned::new(driver.clone())
            .with_second_handle(driver)
            .with_neighbour(MemoryDriver::new(clock)))
    })
}

fn run(backend: impl Backend, case: &str) -> Result<CaseReport, Failed> {
    let options = RunOptions {
        filter: Some(case.to_owned()),
        threads: 1,
    };
    let suite = Suite::new("broken", backend).with_case_timeout(Duration::from_secs(60));
    let report = suite.run(&options, &mut |_| ());
    let full_name = |report: &CaseReport| format!("{}::{}", report.level, report.case);
    let found = report.cases.into_iter().find(|one| full_name(one) == case);
    found.ok_or_else(|| format!("{case} is no case of the suite").into())
}
