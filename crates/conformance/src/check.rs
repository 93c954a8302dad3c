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

    fn within(self, step: &str, place: &Location<'_>) -> Self {
        let (file, line) = (place.file(), place.line());
        Self(format!("{self}\n  in {step} at {file}:{line}"))
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

/// Makes the failure of a helper name the helper, and the place that called it.
///
/// An `async fn` does not know its caller: a helper that says where it was called is a plain one,
/// with `#[track_caller]`, that returns this.
#[track_caller]
pub(crate) fn step<T>(
    name: &'static str,
    helper: impl Future<Output = Check<T>>,
) -> impl Future<Output = Check<T>> {
    let place = Location::caller();
    async move { helper.await.map_err(|failure| failure.within(name, place)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn helper() -> impl Future<Output = Check> {
        step("helper", async { ensure(false, "a difference") })
    }

    #[tokio::test]
    async fn a_failure_in_a_helper_names_the_line_that_called_it() {
        let line = line!() + 1;
        let told = helper().await.unwrap_err().to_string();
        let called = format!("\n  in helper at {}:{line}", file!());
        assert!(told.starts_with("a difference\n  at "), "{told}");
        assert!(told.ends_with(&called), "{told}");
    }
}
