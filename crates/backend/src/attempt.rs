//! Further attempts at a call, where the one before was surely not applied.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures::future::BoxFuture;
use tokenkeep_core::ErrorKind;
use tokio::time::Instant;

use crate::{Call, Cause, Effect, Failure, Outcome};

/// Works for a call that changes nothing, until it ends otherwise than with [`Cause::Again`] or its time
/// is up; once more where the answer was lost, which a connection that the server has closed does.
pub async fn read<'a, T>(
    call: &'a Call,
    work: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    attempt(call, Effect::Reads, work).await
}

/// Works for a call that may change something, until it ends otherwise than with [`Cause::Again`] or its
/// time is up.
pub async fn write<'a, T>(
    call: &'a Call,
    work: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    attempt(call, Effect::Writes, work).await
}

/// What a call is told that came with no time left.
const TOO_LATE: &str = "too little time was left to ask the store; nothing was sent";

async fn attempt<'a, T>(
    call: &'a Call,
    effect: Effect,
    work: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    let mut may_be_lost = effect == Effect::Reads;
    let mut pauses = Pauses::default();
    let mut time = Time::of(call);
    let mut outcome = Err(Failure::refused(ErrorKind::Unavailable, TOO_LATE));
    while time.is_left_after(Duration::ZERO) {
        let began = Instant::now();
        call.not_sent();
        outcome = call.bound(work()).await;
        let Err(failure) = &outcome else {
            return outcome;
        };
        let is_again = match failure.cause {
            Cause::Again => true,
            Cause::Lost => std::mem::take(&mut may_be_lost),
            Cause::Refused(_) => false,
        };
        time.took(began.elapsed());
        let pause = pauses.next();
        if !is_again || !time.is_left_after(pause) {
            return outcome;
        }
        // A pause may end late: what is left is asked again.
        tokio::time::sleep(pause).await;
    }
    outcome
}

/// What is left of a call's time, and what one more attempt needs of it: one that had to be cut off
/// would leave doubt where there is none yet.
#[derive(Debug)]
struct Time {
    deadline: Instant,
    /// How much longer the next attempt may take than any before it, since machines stand still at times.
    margin: Duration,
    needed: Duration,
}

impl Time {
    /// A first attempt is worth it with even this little left.
    const LEAST_MARGIN: Duration = Duration::from_millis(1);
    const MOST_MARGIN: Duration = Duration::from_millis(100);

    fn of(call: &Call) -> Self {
        let deadline = Instant::from_std(call.deadline());
        let left = deadline.saturating_duration_since(Instant::now());
        Self {
            deadline,
            margin: (left / 8).clamp(Self::LEAST_MARGIN, Self::MOST_MARGIN),
            needed: Self::LEAST_MARGIN,
        }
    }

    /// An attempt took so long.
    fn took(&mut self, time: Duration) {
        self.needed = self.needed.max(time + self.margin);
    }

    /// Whether there is time for one more attempt after such a pause.
    fn is_left_after(&self, pause: Duration) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left > pause + self.needed
    }
}

/// How long to wait before each further attempt.
#[derive(Debug, Default)]
struct Pauses {
    doublings: u32,
}

impl Pauses {
    /// The longest is of so many doublings of a millisecond.
    const MOST_DOUBLINGS: u32 = 6;

    /// Between half of and the whole of 1, 2, 4 ... 64 ms, and of 64 ms from there on, so that rivals do
    /// not meet again.
    fn next(&mut self) -> Duration {
        let most = 1_000_u64 << self.doublings;
        self.doublings = (self.doublings + 1).min(Self::MOST_DOUBLINGS);
        // A RandomState is seeded by the system.
        let part = RandomState::new().hash_one(most) % (most / 2 + 1);
        Duration::from_micros(most / 2 + part)
    }
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

    #[tokio::test(start_paused = true)]
    async fn a_call_out_of_time_ends_between_attempts_and_leaves_no_doubt() {
        let began = Instant::now();
        let timeout = Duration::from_millis(100);
        let (count, cause) = attempts(timeout, &[Cause::Again; 1_000]).await;
        assert!((2..20).contains(&count), "{count}");
        assert_eq!(cause, Some(Cause::Again));
        // A pause ends at a whole millisecond.
        assert!(began.elapsed() <= timeout + Duration::from_millis(1));
        let error = Failure::again("held").into_error(Effect::Writes);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_go_on_for_as_long_as_a_call_may_take() {
        let began = Instant::now();
        let hour = Duration::from_secs(3_600);
        let (count, cause) = attempts(hour, &[Cause::Again; 200_000]).await;
        assert_eq!(cause, Some(Cause::Again));
        let left = hour.saturating_sub(began.elapsed());
        assert!(left <= Duration::from_millis(64 + 101), "{left:?}");
        // Each pause is 32 to 64 ms, but for the first few.
        assert!((56_000..113_000).contains(&count), "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_late_in_a_long_call_may_still_succeed() {
        let began = Instant::now();
        let minute = Duration::from_secs(60);
        assert_eq!(attempts(minute, &[Cause::Again; 900]).await, (901, None));
        assert!(began.elapsed() > Duration::from_secs(25));
    }
    /// Stands still for 20 ms over and over, as a machine does that has other things to do.
    async fn falter() {
        loop {
            tokio::time::sleep(Duration::from_millis(7)).await;
            tokio::time::advance(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_is_begun_that_would_be_cut_off() {
        let faltering = tokio::spawn(falter());
        for timeout in (10..1_000).map(Duration::from_millis) {
            let call = Call::within(timeout);
            let outcome: Outcome<()> = write(&call, || {
                Box::pin(async {
                    call.sent();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    Err(Failure::again("held"))
                })
            })
            .await;
            assert_eq!(outcome.unwrap_err().cause, Cause::Again, "{timeout:?}");
        }
        faltering.abort();
    }

    #[tokio::test]
    async fn a_call_without_time_is_not_begun() {
        let (count, cause) = attempts(Duration::ZERO, &[]).await;
        assert_eq!(count, 0);
        assert_eq!(cause, Some(Cause::Refused(ErrorKind::Unavailable)));
    }
}
