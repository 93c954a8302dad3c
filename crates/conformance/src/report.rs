//! What a run found, for programs.

use serde::Serialize;

use crate::case::{CaseInfo, Level};

/// What a run of the suite found. Serialized as JSON it is stable within a suite version.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this crate.
    pub suite_version: &'static str,
    /// The driver's name, as given to [`Suite::new`](crate::Suite::new).
    pub driver: String,
    /// What is wrong with the run as a whole, such as an unknown name among the declined.
    pub problems: Vec<String>,
    /// The cases that ran or were declined, in the order of the suite.
    pub cases: Vec<CaseReport>,
}

impl Report {
    pub(crate) fn new(driver: &str, problems: Vec<String>, mut cases: Vec<CaseReport>) -> Self {
        let order: Vec<_> = crate::cases().map(|info| info.name).collect();
        cases.sort_by_key(|report| order.iter().position(|name| *name == report.case));
        Self {
            suite_version: env!("CARGO_PKG_VERSION"),
            driver: driver.to_owned(),
            problems,
            cases,
        }
    }

    /// How many cases passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Passed))
    }

    /// How many cases failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed { .. }))
    }

    /// How many cases were declined.
    #[must_use]
    pub fn declined(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Declined { .. }))
    }

    /// Tells whether at least one case passed, none failed and there is no problem: a run that ran
    /// nothing proves nothing.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.problems.is_empty() && self.failed() == 0 && self.passed() > 0
    }

    fn count(&self, wanted: fn(&Outcome) -> bool) -> usize {
        self.cases
            .iter()
            .filter(|report| wanted(&report.outcome))
            .count()
    }
}

/// What became of one case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// The case's level.
    pub level: Level,
    /// The case's name.
    pub case: &'static str,
    /// The rules of the contract that it checks.
    pub rules: &'static [&'static str],
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took, opening and dropping its store included.
    pub millis: u64,
}

impl CaseReport {
    pub(crate) const fn new(info: &CaseInfo, outcome: Outcome, millis: u64) -> Self {
        Self {
            level: info.level,
            case: info.name,
            rules: info.rules,
            outcome,
            millis,
        }
    }
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// The driver kept the rules.
    Passed,
    /// It did not.
    Failed {
        /// What was found instead.
        message: String,
    },
    /// The case did not run.
    Declined {
        /// Why, in the words of the backend's author.
        reason: String,
    },
}
