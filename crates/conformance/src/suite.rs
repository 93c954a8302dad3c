//! The suite: which cases run against which backend, and how it is told.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::backend::Backend;
use crate::case::{Case, CaseInfo, Level};
use crate::cases;
use crate::environment;
use crate::report::{CaseReport, Outcome, Report};
use crate::runner::run_case;

/// The conformance suite for one backend.
///
/// Every case runs unless its level or the case itself is declined, with a reason that is shown.
///
/// # Examples
///
/// ```
/// use tokenkeep_conformance::{Level, Owned, RunOptions, Suite, from_fn};
/// use tokenkeep_core::MemoryDriver;
///
/// let backend = from_fn(|clock| async move { Ok(Owned::new(MemoryDriver::new(clock))) });
/// let suite = Suite::new("memory", backend)
///     .decline_level(Level::Durability, "memory does not outlive its process");
/// let options = RunOptions {
///     filter: Some("contract::create_then_get".to_owned()),
///     ..RunOptions::default()
/// };
/// let report = suite.run(&options, &mut |case| println!("{}", case.case));
/// assert!(report.is_success());
/// ```
pub struct Suite {
    driver: String,
    backend: Arc<dyn Backend>,
    declined_levels: BTreeMap<Level, String>,
    declined_cases: BTreeMap<String, String>,
    /// Why nothing can run at all.
    declined_all: Option<String>,
    case_timeout: Duration,
    /// How many cases of the present run have hung.
    hung: AtomicUsize,
}

/// After so many hung cases the rest is not run: each would cost its whole timeout.
const MOST_HUNG: usize = 5;

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite")
            .field("driver", &self.driver)
            .field("declined_levels", &self.declined_levels)
            .field("declined_cases", &self.declined_cases)
            .finish_non_exhaustive()
    }
}

/// Which cases a program runs, and how many at once.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Runs the cases whose full name contains this text. Default: all.
    pub filter: Option<String>,
    /// How many cases run at once; at least one does. Default: as many as there are processors.
    pub threads: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            filter: None,
            threads: thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }
}

impl Suite {
    /// All cases against this backend; the name stands in reports.
    #[must_use]
    pub fn new(driver_name: impl Into<String>, backend: impl Backend) -> Self {
        Self {
            driver: driver_name.into(),
            backend: Arc::new(backend),
            declined_levels: BTreeMap::new(),
            declined_cases: BTreeMap::new(),
            declined_all: None,
            case_timeout: Duration::from_secs(120),
            hung: AtomicUsize::new(0),
        }
    }

    /// Leaves out a level, for a reason that is shown with each of its cases.
    #[must_use]
    pub fn decline_level(mut self, level: Level, reason: &str) -> Self {
        self.declined_levels.insert(level, reason.to_owned());
        self
    }

    /// Leaves out one case, by its name or its full name, for a reason that is shown. A name that
    /// no case has makes the whole run fail.
    #[must_use]
    pub fn decline_case(mut self, case: &str, reason: &str) -> Self {
        self.declined_cases
            .insert(case.to_owned(), reason.to_owned());
        self
    }

    /// Leaves out every case, for a reason that is shown: for a backend that this machine lacks the
    /// programs of. [`main`](Self::main) succeeds all the same; no [`Report`] of it is a success.
    #[must_use]
    pub fn decline_all(mut self, reason: &str) -> Self {
        self.declined_all = Some(reason.to_owned());
        self
    }

    /// Sets how long a case may take before it counts as hung. Default: 120 s.
    ///
    /// `TOKENKEEP_CONFORMANCE_CASE_TIMEOUT`, in seconds, goes before it. Once five cases of a run
    /// have hung, those that have not begun fail without being run.
    #[must_use]
    pub const fn with_case_timeout(mut self, bound: Duration) -> Self {
        self.case_timeout = bound;
        self
    }

    /// Runs the suite as the `main` of a test program without the built-in harness.
    ///
    /// # Behavior
    ///
    /// - Takes the arguments that `cargo test` and `cargo nextest` give: filters, `--exact`,
    ///   `--list`, `--test-threads`.
    /// - Each case is a test named `level::case`. A declined one is shown as ignored, with the reason.
    /// - Fails if a case fails, if a declined name is unknown, and if no case ran, unless all are
    ///   declined by [`decline_all`](Self::decline_all) or the one case asked for by `--exact` is.
    /// - Writes the report as JSON to the file that `TOKENKEEP_CONFORMANCE_REPORT` names.
    pub fn main(self) -> ExitCode {
        crate::harness::main(Arc::new(self))
    }

    /// Runs the suite for a program, which is told of each case as it ends.
    ///
    /// # Behavior
    ///
    /// - Blocks until all cases have ended: not for a thread of an async runtime.
    /// - If a declined name is unknown nothing runs, and [`Report::problems`] says so.
    pub fn run(&self, options: &RunOptions, on_case: &mut dyn FnMut(&CaseReport)) -> Report {
        let mut reports = Vec::new();
        self.hung.store(0, Ordering::Relaxed);
        let problems = self.problems();
        if problems.is_empty() {
            let wanted = |case: &&Case| match &options.filter {
                Some(filter) => case.info.full_name().contains(filter),
                None => true,
            };
            let cases = cases::all().filter(wanted).collect();
            self.run_all(cases, options.threads, &mut |report| {
                on_case(&report);
                reports.push(report);
            });
        }
        Report::new(&self.driver, problems, reports)
    }

    fn run_all(&self, cases: Vec<&'static Case>, threads: usize, take: &mut dyn FnMut(CaseReport)) {
        let cases = Mutex::new(cases.into_iter());
        let next = || cases.lock().unwrap_or_else(PoisonError::into_inner).next();
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                let sender = sender.clone();
                scope.spawn(move || {
                    while let Some(case) = next() {
                        // The receiver lives until every sender is gone.
                        let _ = sender.send(self.run_one(case));
                    }
                });
            }
            drop(sender);
            receiver.iter().for_each(take);
        });
    }

    /// Runs a case unless it is declined, or too many have hung.
    pub(crate) fn run_one(&self, case: &'static Case) -> CaseReport {
        let not_run = |outcome| CaseReport::new(&case.info, outcome, 0);
        if let Some(reason) = self.reason(&case.info) {
            let reason = reason.to_owned();
            return not_run(Outcome::Declined { reason });
        }
        if self.hung.load(Ordering::Relaxed) >= MOST_HUNG {
            let message = "not run: five cases hung before".to_owned();
            return not_run(Outcome::Failed { message });
        }
        let bound = match environment::case_timeout() {
            Ok(bound) => bound.unwrap_or(self.case_timeout),
            Err(failure) => {
                let message = failure.to_string();
                return not_run(Outcome::Failed { message });
            }
        };
        let ran = run_case(case, &self.backend, bound);
        if ran.hung {
            self.hung.fetch_add(1, Ordering::Relaxed);
        }
        ran.report
    }

    /// What makes the run as a whole wrong.
    pub(crate) fn problems(&self) -> Vec<String> {
        let known = |name: &str| {
            cases::all().any(|case| case.info.name == name || case.info.full_name() == name)
        };
        self.declined_cases
            .keys()
            .filter(|name| !known(name))
            .map(|name| format!("`decline_case` names `{name}`, which is no case of the suite"))
            .collect()
    }

    pub(crate) const fn is_declined(&self) -> bool {
        self.declined_all.is_some()
    }

    pub(crate) fn driver_name(&self) -> &str {
        &self.driver
    }

    fn reason(&self, info: &CaseInfo) -> Option<&str> {
        self.declined_all
            .as_ref()
            .or_else(|| self.declined_levels.get(&info.level))
            .or_else(|| self.declined_cases.get(info.name))
            .or_else(|| self.declined_cases.get(&info.full_name()))
            .map(String::as_str)
    }
}
