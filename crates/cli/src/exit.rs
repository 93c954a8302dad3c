//! How the program ends: the exit codes, and the one line that says what went wrong.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::process::ExitCode;

use tokenkeep::{Error, ErrorKind};

use crate::output::printable;

/// What the program's end means. The README has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or answered in the affirmative.
    Done,
    /// A negative answer: no such token, a case failed, "no" to a question.
    Negative,
    /// Wrong usage, configuration or input.
    Usage,
    /// The store could not be used, or is damaged; or the answer could not be written.
    Store,
    /// Ended by Ctrl-C before it was done.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Negative => 1,
            Exit::Usage => 2,
            Exit::Store => 3,
            // What shells show for a program that SIGINT ended.
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command could not be done. Holds no secret.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the manager or the store said.
    Token(Error),
    /// What is wrong with the arguments or the files that they name.
    Usage(String),
    /// The answer could not be written.
    Output(io::Error),
    /// What must be read could not be written, whoever has gone; what became of it.
    Untold(String),
}

impl Failure {
    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self::Usage(problem.into())
    }

    /// Tells whether the store could not be used, and may be tried again.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Token(error) if error.kind() == ErrorKind::Unavailable)
    }

    /// The exit code that follows from what went wrong.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Token(error) => exit_of(error.kind()),
            Self::Usage(_) => Exit::Usage,
            // Whoever read the answer has had enough of it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) | Self::Untold(_) => Exit::Store,
        }
    }
}

fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Conflict => Exit::Negative,
        ErrorKind::InvalidInput | ErrorKind::Config => Exit::Usage,
        _ => Exit::Store,
    }
}

impl fmt::Display for Failure {
    /// One line: what went wrong, then its causes, one after the other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => {
                write!(f, "{error}")?;
                let mut cause = error.source();
                while let Some(source) = cause {
                    write!(f, ": {source}")?;
                    cause = source.source();
                }
                Ok(())
            }
            Self::Usage(problem) | Self::Untold(problem) => f.write_str(problem),
            Self::Output(error) => write!(f, "cannot write the answer: {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Token(error)
    }
}

/// Only writing the answer gives a bare I/O error; files that are read name themselves.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Turns how a command ended into the exit code, and tells what went wrong on standard error.
pub(crate) fn report(ended: Result<Exit, Failure>) -> Exit {
    match ended {
        Ok(exit) => exit,
        Err(failure) => {
            let exit = failure.exit();
            if exit != Exit::Done {
                tell(&failure);
            }
            exit
        }
    }
}

fn tell(failure: &Failure) {
    use std::io::Write as _;

    let style = anstyle::AnsiColor::Red.on_default().bold();
    let text = failure.to_string();
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(
        anstream::stderr(),
        "{style}error:{style:#} {}",
        printable(&text)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_code() {
        let exit = |kind: ErrorKind| Failure::Token(kind.into()).exit();
        assert_eq!(exit(ErrorKind::NotFound), Exit::Negative);
        assert_eq!(exit(ErrorKind::AlreadyExists), Exit::Negative);
        assert_eq!(exit(ErrorKind::InvalidInput), Exit::Usage);
        assert_eq!(exit(ErrorKind::Config), Exit::Usage);
        assert_eq!(exit(ErrorKind::Unavailable), Exit::Store);
        assert_eq!(exit(ErrorKind::Indeterminate), Exit::Store);
        assert_eq!(exit(ErrorKind::Corrupt), Exit::Store);
    }

    #[test]
    fn a_broken_pipe_is_no_error() {
        let broken = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(broken.exit(), Exit::Done);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::Store);
    }

    #[test]
    fn the_causes_stand_in_one_line() {
        let cause = Error::new(ErrorKind::Internal, "inner").with_source("innermost");
        let error = Error::new(ErrorKind::Unavailable, "outer").with_source(cause);
        assert_eq!(
            Failure::from(error).to_string(),
            "Unavailable: outer: Internal: inner: innermost"
        );
    }
}
