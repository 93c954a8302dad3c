#![doc = include_str!("../README.md")]

mod backend;
mod case;
mod cases;
mod check;
mod context;
mod digest;
mod harness;
mod model;
mod probe;
mod random;
mod report;
mod runner;
mod suite;
mod writers;

pub use backend::{Backend, Owned, Store, from_fn};
pub use case::{CaseInfo, Level};
pub use report::{CaseReport, Outcome, Report};
pub use suite::{RunOptions, Suite};

/// Every case of the suite, in the order in which a report has them.
pub fn cases() -> impl Iterator<Item = CaseInfo> {
    cases::all().map(|case| case.info)
}
