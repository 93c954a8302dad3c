//! Sentinel sets and clusters obey: real ones, of Redis and of Valkey.

mod cluster;
mod sentinel;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokenkeep_testkit::{Result, require};

/// How many tests run at a time unless the arguments say it: each has some six servers.
const THREADS: usize = 6;

/// What a test answers.
type Told = std::result::Result<(), Failed>;

fn main() -> ExitCode {
    let mut trials = cluster::trials();
    trials.extend(sentinel::trials());
    let mut arguments = Arguments::from_args();
    // They wait for servers more than they compute.
    arguments.test_threads.get_or_insert(THREADS);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test fails by its answer, or is ignored where the servers' programs are missing.
fn trial(name: String, test: impl FnOnce() -> Result<Told> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match require(test()) {
        Ok(told) => told.map(|()| Completion::Completed),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

fn ensure(condition: bool, what: &str) -> Told {
    if condition { Ok(()) } else { Err(what.into()) }
}
