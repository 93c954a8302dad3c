//! Why the store gave no answer, in a form that all callers of one batch can be given.

use std::sync::Arc;

use tokenkeep_core::{Error, ErrorKind};

/// The result of work on a store.
pub type Outcome<T> = Result<T, Failure>;

/// Why the store gave no answer. Holds no value of a record (R20).
#[derive(Clone, Debug)]
pub struct Failure {
    /// What it means for the call.
    pub cause: Cause,
    /// What went wrong, in words that may be shown.
    pub message: Arc<str>,
}

/// What a failure means for the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Surely not applied; the caller is told this kind.
    Refused(ErrorKind),
    /// Surely not applied, and the same call may succeed at once: a deadlock, a lost race.
    Again,
    /// The connection broke, or no answer came in time, after the statement was on its way.
    Lost,
}

/// Whether a call can change anything, and so whether a lost answer leaves doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Reads,
    /// It may change something.
    Writes,
}

impl Failure {
    /// Surely not applied; the caller is told this kind.
    #[must_use]
    pub fn refused(kind: ErrorKind, message: impl Into<Arc<str>>) -> Self {
        Self {
            cause: Cause::Refused(kind),
            message: message.into(),
        }
    }

    /// Surely not applied, and worth another attempt.
    #[must_use]
    pub fn again(message: impl Into<Arc<str>>) -> Self {
        Self {
            cause: Cause::Again,
            message: message.into(),
        }
    }

    /// Names the server that was asked, unless it is named already.
    #[must_use]
    pub fn at(self, address: &str) -> Self {
        let named = format!("{address}: ");
        if self.message.starts_with(&named) {
            return self;
        }
        Self {
            message: format!("{named}{}", self.message).into(),
            ..self
        }
    }

    /// Perhaps applied.
    #[must_use]
    pub fn lost(message: impl Into<Arc<str>>) -> Self {
        Self {
            cause: Cause::Lost,
            message: message.into(),
        }
    }

    /// Whether one record of several may have caused it. Nothing was applied then.
    #[must_use]
    pub const fn may_be_of_one(&self) -> bool {
        !matches!(
            self.cause,
            Cause::Again
                | Cause::Lost
                | Cause::Refused(
                    ErrorKind::Unavailable | ErrorKind::Config | ErrorKind::Indeterminate
                )
        )
    }

    /// The error that the caller of an operation with this effect gets.
    #[must_use]
    pub fn into_error(self, effect: Effect) -> Error {
        let kind = match (self.cause, effect) {
            (Cause::Refused(kind), _) => kind,
            (Cause::Again, _) | (Cause::Lost, Effect::Reads) => ErrorKind::Unavailable,
            (Cause::Lost, Effect::Writes) => ErrorKind::Indeterminate,
        };
        Error::new(kind, self.message.to_string())
    }
}

/// The error of a call of which a part was done, or may have been: repeating it is no longer safe.
#[must_use]
pub fn after_a_part(error: Error) -> Error {
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    let message = format!("a part was done, then: {}", error.message());
    Error::new(ErrorKind::Indeterminate, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_once() {
        let failure = Failure::again("no answer").at("db:1").at("db:1");
        assert_eq!(&*failure.message, "db:1: no answer");
        assert_eq!(&*failure.at("db").message, "db: db:1: no answer");
    }

    #[test]
    fn a_failure_after_a_part_was_done_is_no_longer_safe_to_repeat() {
        let kind = |kind| after_a_part(Error::new(kind, "later")).kind();
        assert_eq!(kind(ErrorKind::Unavailable), ErrorKind::Indeterminate);
        assert_eq!(kind(ErrorKind::Corrupt), ErrorKind::Corrupt);
    }
}
