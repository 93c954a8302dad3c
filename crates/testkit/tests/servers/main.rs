//! The servers obey: real ones, of each kind.

mod commands;
mod lives;
mod settings;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokenkeep_testkit::{Result, Server, Settings, require};

/// What a test answers.
type Told = std::result::Result<(), Failed>;

/// Errors of the servers apart from those of the test.
type Test = fn(Kind) -> Result<Told>;

/// How a kind of server is started, and what it is asked for.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    start: fn(&Settings) -> Result<Server>,
    shared: fn() -> Result<&'static Server>,
    /// Makes a table for [`write`](Self::write).
    prepare: &'static str,
    /// Adds one row.
    write: &'static str,
    /// Counts the rows.
    count: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "postgres",
        start: Server::postgres,
        shared: tokenkeep_testkit::shared::postgres,
        prepare: "CREATE TABLE t (n int)",
        write: "INSERT INTO t VALUES (1)",
        count: "SELECT count(*) FROM t",
    },
    Kind {
        name: "mariadb",
        start: Server::mariadb,
        shared: tokenkeep_testkit::shared::mariadb,
        prepare: "CREATE TABLE tokenkeep.t (n int)",
        write: "INSERT INTO tokenkeep.t VALUES (1)",
        count: "SELECT count(*) FROM tokenkeep.t",
    },
    Kind {
        name: "redis",
        start: Server::redis,
        shared: tokenkeep_testkit::shared::redis,
        prepare: "DEL t",
        write: "LPUSH t 1",
        count: "LLEN t",
    },
    Kind {
        name: "valkey",
        start: Server::valkey,
        shared: tokenkeep_testkit::shared::valkey,
        prepare: "DEL t",
        write: "LPUSH t 1",
        count: "LLEN t",
    },
];

fn main() -> ExitCode {
    let of = |kinds: &[Kind], tests: &[(&str, Test)]| -> Vec<_> {
        let pairs = tests
            .iter()
            .flat_map(|test| kinds.iter().map(move |kind| (kind, test)));
        pairs
            .map(|(kind, (name, test))| trial(*kind, name, *test))
            .collect()
    };
    let (_, with_commands) = KINDS.split_at(2);
    let mut trials = of(&KINDS, lives::TESTS);
    trials.extend(of(&KINDS, settings::TESTS));
    trials.extend(of(with_commands, commands::TESTS));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test fails by its answer, or is ignored where the server's programs are missing.
fn trial(kind: Kind, name: &str, test: Test) -> Trial {
    Trial::ignorable_test(format!("{}::{name}", kind.name), move || {
        match require(test(kind)) {
            Ok(told) => told.map(|()| Completion::Completed),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    })
}

fn ensure(condition: bool, what: &str) -> Told {
    if condition { Ok(()) } else { Err(what.into()) }
}
