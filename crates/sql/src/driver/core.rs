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

/// Works for a call that changes nothing, until it ends otherwise than with [`Cause::Again`]; once more
/// where the answer was lost, which a connection that the server has closed does.
pub(super) async fn read<'a, T>(
    call: &'a Call,
    work: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    attempt(call, Effect::Reads, work).await
}

/// Works for a call that may change something, until it ends otherwise than with [`Cause::Again`].
pub(super) async fn write<'a, T>(
    call: &'a Call,
    work: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    attempt(call, Effect::Writes, work).await
}

async fn attempt<'a, T>(
    call: &'a Call,
    effect: Effect,
    work: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    let mut may_be_lost = effect == Effect::Reads;
    for count in 1.. {
        let began = Instant::now();
        call.not_sent();
        let outcome = call.bound(work()).await;
        let Err(failure) = &outcome else {
            return outcome;
        };
        let is_again = match failure.cause {
            Cause::Again => count < MAX_ATTEMPTS,
            Cause::Lost => std::mem::take(&mut may_be_lost),
            Cause::Refused(_) => false,
        };
        if !is_again {
            return outcome;
        }
        // One more that had to be cut off would leave doubt where there is none now.
        let pause = pause(count);
        let needed = began.elapsed() + pause;
        if call.deadline().saturating_duration_since(Instant::now()) <= needed {
            return outcome;
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Attempts of which these end with these causes, one after the other.
    async fn attempts(timeout: Duration, causes: &[Cause]) -> (u32, Option<Cause>) {
        attempts_at(Effect::Writes, timeout, causes).await
    }

    async fn attempts_at(
        effect: Effect,
        timeout: Duration,
        causes: &[Cause],
    ) -> (u32, Option<Cause>) {
        let call = Call::within(timeout);
        let count = AtomicU32::new(0);
        let outcome = attempt(&call, effect, || {
            let number = count.fetch_add(1, Ordering::Relaxed) as usize;
            let cause = causes.get(number).copied();
            Box::pin(async move {
                cause.map_or(Ok(()), |cause| {
                    let message = "as the test wants it".into();
                    Err(Failure { cause, message })
                })
            })
        });
        let cause = outcome.await.err().map(|failure| failure.cause);
        (count.load(Ordering::Relaxed), cause)
    }

    #[tokio::test]
    async fn a_lost_race_is_run_again() {
        let minute = Duration::from_secs(60);
        assert_eq!(attempts(minute, &[]).await, (1, None));
        assert_eq!(attempts(minute, &[Cause::Again; 3]).await, (4, None));
    }

    #[tokio::test]
    async fn what_may_have_been_applied_is_never_done_again() {
        let minute = Duration::from_secs(60);
        let refused = Cause::Refused(ErrorKind::Unavailable);
        for cause in [Cause::Lost, refused] {
            let ended = attempts(minute, &[Cause::Again, cause]).await;
            assert_eq!(ended, (2, Some(cause)));
        }
    }

    #[tokio::test]
    async fn a_read_whose_answer_was_lost_is_done_once_more() {
        let read = async |causes: &[Cause]| {
            attempts_at(Effect::Reads, Duration::from_secs(60), causes).await
        };
        assert_eq!(read(&[Cause::Lost]).await, (2, None));
        assert_eq!(read(&[Cause::Lost; 2]).await, (2, Some(Cause::Lost)));
        assert_eq!(read(&[Cause::Lost, Cause::Again]).await, (3, None));
    }

    #[tokio::test]
    async fn a_call_out_of_time_ends_between_attempts_and_leaves_no_doubt() {
        let began = Instant::now();
        let timeout = Duration::from_millis(100);
        let (count, cause) = attempts(timeout, &[Cause::Again; 1_000]).await;
        assert!(count > 1 && count < MAX_ATTEMPTS);
        assert_eq!(cause, Some(Cause::Again));
        assert!(began.elapsed() < Duration::from_secs(10));
        let error = writing(Failure::again("held"));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn a_failure_after_a_part_was_done_is_no_longer_safe_to_repeat() {
        let kind = |kind| after_a_part(Error::new(kind, "later")).kind();
        assert_eq!(kind(ErrorKind::Unavailable), ErrorKind::Indeterminate);
        assert_eq!(kind(ErrorKind::Corrupt), ErrorKind::Corrupt);
    }
}
