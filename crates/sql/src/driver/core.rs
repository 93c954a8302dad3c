//! What every call of the driver needs.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_backend::{Call, Effect, Failure};
use tokenkeep_core::{Clock, Error, ErrorKind, Timestamp};

use crate::dialect::Dialect;

/// The dialect, the clock and the bound of each call.
#[derive(Clone, Debug)]
pub(super) struct Core {
    pub(super) dialect: Arc<dyn Dialect>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeout: Duration,
}

impl Core {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The bound of a call that begins now.
    pub(super) fn call(&self) -> Call {
        Call::within(self.timeout)
    }
}

/// The error of a call that reads.
pub(super) fn reading(failure: Failure) -> Error {
    failure.into_error(Effect::Reads)
}

/// The error of a call that writes.
pub(super) fn writing(failure: Failure) -> Error {
    failure.into_error(Effect::Writes)
}

/// The error of a call of which an earlier part was done.
pub(super) fn after_a_part(error: Error) -> Error {
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
    fn a_failure_after_a_part_was_done_is_no_longer_safe_to_repeat() {
        let kind = |kind| after_a_part(Error::new(kind, "later")).kind();
        assert_eq!(kind(ErrorKind::Unavailable), ErrorKind::Indeterminate);
        assert_eq!(kind(ErrorKind::Corrupt), ErrorKind::Corrupt);
    }
}
