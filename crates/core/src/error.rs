//! The one error type of the workspace.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// The result of every fallible call in the workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it (contract, section 4).
///
/// Whether a retry is safe follows from the kind: see [`ErrorKind::is_retry_safe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such active token, or no such thing. Everyday input: making this error allocates nothing.
    NotFound,
    /// The id is taken by an unexpired token (R2).
    AlreadyExists,
    /// The token has changed since its version was read (R11).
    Conflict,
    /// A value breaks a rule of the contract; the message names the field.
    InvalidInput,
    /// The configuration makes no sense, or what it names cannot be used.
    Config,
    /// The store could not be used and the call was surely not applied.
    Unavailable,
    /// The store failed in the middle of a call that may have been applied.
    Indeterminate,
    /// Stored data make no sense; the message names the table or key.
    Corrupt,
    /// A fault in Tokenkeep or in a driver.
    Internal,
}

impl ErrorKind {
    /// Tells whether the same call may be repeated without a second thought.
    ///
    /// True for [`Unavailable`](Self::Unavailable) alone. After
    /// [`Indeterminate`](Self::Indeterminate) the caller has to read first.
    #[must_use]
    pub const fn is_retry_safe(self) -> bool {
        matches!(self, Self::Unavailable)
    }

    /// The kind's name as it stands in the contract, for logs, metrics and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::InvalidInput => "InvalidInput",
            Self::Config => "Config",
            Self::Unavailable => "Unavailable",
            Self::Indeterminate => "Indeterminate",
            Self::Corrupt => "Corrupt",
            Self::Internal => "Internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind, a message, the operation, the driver and a source (contract, section 4).
///
/// No part of it ever holds a token secret (R20).
///
/// # Examples
///
/// ```
/// use tokenkeep_core::{Error, ErrorKind};
///
/// let error = Error::invalid_input("user_id", "is empty").with_operation("create");
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert_eq!(error.to_string(), "create: InvalidInput: user_id is empty");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    operation: Option<&'static str>,
    driver: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of the given kind; the message must hold no secret.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            operation: None,
            driver: None,
            source: None,
        }
    }

    /// The answer for a token that is absent, expired or revoked (R1, R5). Allocates nothing.
    #[must_use]
    pub const fn not_found() -> Self {
        Self {
            kind: ErrorKind::NotFound,
            message: Cow::Borrowed("no such active token"),
            operation: None,
            driver: None,
            source: None,
        }
    }

    /// The answer for an id that an unexpired token holds (R2). Allocates nothing.
    #[must_use]
    pub const fn already_exists() -> Self {
        Self {
            kind: ErrorKind::AlreadyExists,
            message: Cow::Borrowed("an unexpired token has this id"),
            operation: None,
            driver: None,
            source: None,
        }
    }

    /// The answer for a version that is no longer the current one (R11).
    #[must_use]
    pub fn conflict(expected: u64, found: u64) -> Self {
        Self::new(
            ErrorKind::Conflict,
            format!("version is {found}, not {expected}"),
        )
    }

    /// A value that breaks a rule: the field's name, then what is wrong with it.
    #[must_use]
    pub fn invalid_input(field: &str, problem: impl fmt::Display) -> Self {
        Self::new(ErrorKind::InvalidInput, format!("{field} {problem}"))
    }

    /// Stored data that make no sense: the place (table or key, never a secret), then what is wrong.
    #[must_use]
    pub fn corrupt(place: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Corrupt, format!("{place}: {problem}"))
    }

    /// Names the method that failed.
    #[must_use]
    pub const fn with_operation(mut self, operation: &'static str) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Names the driver that failed.
    #[must_use]
    pub const fn with_driver(mut self, driver: &'static str) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Keeps the cause. Its text may reach logs: it must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong, as far as a caller can act on it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What went wrong, in words, without driver, operation and cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The method that failed, where it was named.
    #[must_use]
    pub const fn operation(&self) -> Option<&'static str> {
        self.operation
    }

    /// The driver that failed, where it was named.
    #[must_use]
    pub const fn driver(&self) -> Option<&'static str> {
        self.driver
    }
}

impl fmt::Display for Error {
    /// One line: `driver operation: Kind: message`. The cause is left to [`StdError::source`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.driver, self.operation) {
            (Some(driver), Some(operation)) => write!(f, "{driver} {operation}: ")?,
            (Some(place), None) | (None, Some(place)) => write!(f, "{place}: ")?,
            (None, None) => {}
        }
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<ErrorKind> for Error {
    /// An error that says no more than its kind.
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, kind.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unavailable_is_safe_to_retry() {
        assert!(ErrorKind::Unavailable.is_retry_safe());
        assert!(!ErrorKind::Indeterminate.is_retry_safe());
        assert!(!ErrorKind::Conflict.is_retry_safe());
    }

    #[test]
    fn display_names_driver_operation_kind_and_message() {
        let error = Error::not_found().with_driver("sled").with_operation("get");
        assert_eq!(
            error.to_string(),
            "sled get: NotFound: no such active token"
        );
    }

    #[test]
    fn the_cause_is_kept() {
        let error = Error::new(ErrorKind::Unavailable, "cannot write").with_source("disk full");
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("disk full")
        );
    }
}
