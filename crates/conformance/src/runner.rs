//! Runs one case so that neither a panic nor a hang of a driver ends the run.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::backend::Backend;
use crate::case::Case;
use crate::context::Context;
use crate::report::{CaseReport, Outcome};

/// How long a driver's threads are waited for once a case is over.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What became of a case.
pub(crate) struct Ran {
    pub(crate) report: CaseReport,
    /// Whether it did not end within its bound.
    pub(crate) hung: bool,
}

/// Why a case did not pass.
enum Problem {
    Failed(String),
    Hung,
}

/// Runs a case on a runtime and with a store of its own, within the bound.
pub(crate) fn run_case(case: &'static Case, backend: &Arc<dyn Backend>, bound: Duration) -> Ran {
    let started = Instant::now();
    let outcome = match Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(case.info.name)
        .enable_all()
        .build()
    {
        Ok(runtime) => run_on(runtime, case, Arc::clone(backend), bound),
        Err(error) => Err(Problem::Failed(format!(
            "the case's runtime did not start: {error}"
        ))),
    };
    let hung = matches!(outcome, Err(Problem::Hung));
    let outcome = match outcome {
        Ok(()) => Outcome::Passed,
        Err(Problem::Failed(message)) => Outcome::Failed { message },
        Err(Problem::Hung) => Outcome::Failed {
            message: format!("did not end within {bound:?} (R16)"),
        },
    };
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let report = CaseReport::new(&case.info, outcome, millis);
    Ran { report, hung }
}

fn run_on(
    runtime: Runtime,
    case: &'static Case,
    backend: Arc<dyn Backend>,
    bound: Duration,
) -> Result<(), Problem> {
    // A task of its own: a driver that blocks its thread does not keep the bound from being seen.
    let task = runtime.spawn(async move {
        let context = Context::open(backend, &case.info).await?;
        (case.run)(context).await
    });
    let ended = runtime.block_on(async { tokio::time::timeout(bound, task).await });
    runtime.shutdown_timeout(SHUTDOWN);
    match ended {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(failure))) => Err(Problem::Failed(failure.to_string())),
        Ok(Err(error)) => Err(Problem::Failed(match error.try_into_panic() {
            Ok(payload) => format!("panicked: {}", panic_message(&*payload)),
            Err(error) => format!("the case's task ended: {error}"),
        })),
        Err(_) => Err(Problem::Hung),
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
