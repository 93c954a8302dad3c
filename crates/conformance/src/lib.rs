#![doc = include_str!("../README.md")]
//!
//! # How a case runs
//!
//! Each case gets a store of its own from [`Backend::open`], or from [`Backend::open_alone`] if it does
//! things that other stores of the same server would feel, on a runtime of its own, with a clock that
//! stands still until the case moves it; so cases run in parallel, and none sleeps to let time
//! pass. Where it has to wait for the store, as for a backend that comes back, it waits for a
//! condition, with a bound. A case that panics or takes longer than [`Suite::with_case_timeout`]
//! has failed; the run goes on, until five have hung. Ids and random calls are the same in every
//! run.
//!
//! The cases take the driver to have the default [`Limits`](tokenkeep_core::Limits).
//!
//! # Hooks
//!
//! What a case cannot do through a driver, it asks of the [`Store`]: another handle, the bytes on
//! the disk, the end of the process. [`Owned`] offers the three hooks of level `contract` without a
//! trait impl; the rest need an impl of [`Store`], whose methods say what each hook promises. For
//! those of a store in a folder, [`files`] has what reads it beside its writers; for those of a
//! server that the test cannot stop, [`gate`] has a proxy to put in front of it.
//!
//! # Declining
//!
//! What cannot apply is declined by name, with a reason: [`Suite::decline_level`] and
//! [`Suite::decline_case`]. A name that no case has makes the run fail, so a list of declined
//! cases cannot go stale. Where a server is not installed, [`Suite::decline_all`] shows every case as
//! ignored with the reason.
//!
//! # For programs
//!
//! [`Suite::run`] runs the suite without a test harness and gives a [`Report`]; [`cases()`] tells
//! what there is to run.

mod backend;
mod case;
mod cases;
mod check;
mod context;
mod digest;
mod environment;
pub mod files;
#[cfg(unix)]
pub mod gate;
mod harness;
mod model;
mod probe;
mod random;
mod report;
mod runner;
pub mod sqlite_locks;
mod stories;
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
