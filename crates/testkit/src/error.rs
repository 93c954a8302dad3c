//! What keeps a server from running, and what a test makes of it.

use std::env;
use std::fmt;
use std::io::{self, Write};

/// Set to `1`, it makes a test fail where it would be ignored for want of a program.
pub const REQUIRE_VARIABLE: &str = "TOKENKEEP_REQUIRE_SERVERS";

/// Why a server does not run or does not obey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A program or an account that it takes is not on this machine.
    Missing(String),
    /// All is there, but it went wrong.
    Failed(String),
}

/// What the functions of this package give.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn failed(what: impl fmt::Display) -> Self {
        Self::Failed(what.to_string())
    }

    /// Turns an error of the system into one that says what was tried.
    pub(crate) fn while_doing(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) | Self::Failed(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// Tells a server that cannot be had from one that failed.
///
/// # Behavior
///
/// - A program that is missing gives `Err` with the reason that an ignored test shows.
///
/// # Panics
///
/// If the server failed; and if a program is missing while `TOKENKEEP_REQUIRE_SERVERS` is `1`.
pub fn require<T>(started: Result<T>) -> std::result::Result<T, String> {
    match started {
        Ok(server) => Ok(server),
        Err(Error::Missing(reason)) if !required() => Err(reason),
        Err(error) => panic!("{error}"),
    }
}

/// As [`require`], for a plain `#[test]`: the reason goes to the standard error, past the harness
/// that keeps a passing test's output to itself.
///
/// # Panics
///
/// As [`require`].
pub fn require_or_tell<T>(started: Result<T>) -> Option<T> {
    require(started)
        .map_err(|reason| {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Nobody is left to tell if even this cannot be written.
            let _ = writeln!(io::stderr(), "NOT RUN: {test}: {reason}");
        })
        .ok()
}

fn required() -> bool {
    env::var_os(REQUIRE_VARIABLE).is_some_and(|value| value == "1")
}
