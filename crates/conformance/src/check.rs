//! Checks that answer with a failure instead of a panic.

use std::error::Error as _;
use std::fmt::{self, Debug, Display};
use std::panic::Location;

use tokenkeep_core::{Error, ErrorKind};

/// How a case ends.
pub(crate) type Check<T = ()> = Result<T, Failure>;

/// Why a case failed, and where in the suite.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    #[track_caller]
    pub(crate) fn new(what: impl Display) -> Self {
        let place = Location::caller();
        Self(format!("{what}\n  at {}:{}", place.file(), place.line()))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    /// A call that should have succeeded did not.
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format!("unexpected error: {}", chain(&error)))
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Fails with `what` unless the condition holds.
#[track_caller]
pub(crate) fn ensure(condition: bool, what: impl Display) -> Check {
    if condition {
        Ok(())
    } else {
        Err(Failure::new(what))
    }
}

/// Fails, showing both values, unless they are the same.
#[track_caller]
pub(crate) fn same<T: PartialEq + Debug>(found: &T, wanted: &T, what: impl Display) -> Check {
    if found == wanted {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{what}:\n  found  {found:?}\n  wanted {wanted:?}"
    )))
}

/// Fails unless the call ended with an error of this kind; gives the error.
#[track_caller]
pub(crate) fn fails<T: Debug>(
    result: Result<T, Error>,
    wanted: ErrorKind,
    what: impl Display,
) -> Check<Error> {
    match result {
        Err(error) if error.kind() == wanted => Ok(error),
        Err(error) => Err(Failure::new(format!(
            "{what}: wanted {wanted}, but the error was {}",
            chain(&error)
        ))),
        Ok(value) => Err(Failure::new(format!(
            "{what}: wanted {wanted}, but it succeeded with {value:?}"
        ))),
    }
}
