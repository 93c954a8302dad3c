//! What every call of the driver needs.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokenkeep_core::{Clock, Error, ErrorKind, Timestamp};

use crate::call::Call;
use crate::dialect::Dialect;
use crate::failure::{Cause, Effect, Failure, Outcome};

/// The most attempts at one call; with the pauses between them some ten seconds. The time that is left
/// bounds them too.
const MAX_ATTEMPTS: u32 = 200;

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

/// Works for a call until it ends otherwise than with [`Cause::Again`].
pub(super) async fn attempt<'a, T>(
    call: &'a Call,
    work: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    for count in 1.. {
        let began = Instant::now();
        let outcome = call.bound(work()).await;
        let Err(failure) = &outcome else {
            return outcome;
        };
        if failure.cause != Cause::Again || count >= MAX_ATTEMPTS {
            return outcome;
        }
        // One more that had to be cut off would leave doubt where there is none now.
        let pause = pause(count);
        let needed = began.elapsed() + pause;
        if call.deadline().saturating_duration_since(Instant::now()) <= needed {
            return outcome;
        }
        call.not_sent();
        tokio::time::sleep(pause).await;
    }
    Err(Failure::again("too many attempts"))
}

/// Between half of and the whole of 1, 2, 4 ... 64 ms, so that rivals do not meet again.
fn pause(count: u32) -> Duration {
    let most = 1_000_u64 << count.saturating_sub(1).min(6);
    // A RandomState is seeded by the system.
    let part = RandomState::new().hash_one(count) % (most / 2 + 1);
    Duration::from_micros(most / 2 + part)
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
