//! What every call of the driver needs.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_backend::{Call, Effect, Failure};
use tokenkeep_core::{Clock, Error, Timestamp};

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
