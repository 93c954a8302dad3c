//! How long opening goes on asking.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokenkeep_backend::{Call, Cause, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::time::sleep;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// How much earlier than those who wait for it an attempt to connect ends at the most.
const MOST_EARLY: Duration = Duration::from_millis(500);

/// Asks again and again while what is heard may pass, as a failover does, until the call's end; then it
/// tells what was heard last. Where nobody is heard at first there is nothing to wait for.
pub(super) async fn patiently<'a, T>(
    call: &'a Call,
    ask: impl Fn() -> BoxFuture<'a, Outcome<T>> + Send,
) -> Outcome<T> {
    let mut heard: Option<Failure> = None;
    loop {
        let failure = match call.bound(ask()).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let last = match (failure.cause, heard) {
            (Cause::Again, _) => failure,
            (Cause::Lost | Cause::Refused(ErrorKind::Unavailable), Some(before)) => before,
            _ => return Err(failure),
        };
        let left = call.deadline().saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(last);
        }
        heard = Some(last);
        sleep(PAUSE.min(left)).await;
    }
}

/// The bound of an attempt to connect for those who wait so long: a little earlier, so that they can be told
/// why there is no connection.
pub(super) fn earlier(bound: Duration) -> Duration {
    bound.saturating_sub((bound / 4).min(MOST_EARLY))
}

#[cfg(test)]
mod tests {
    use std::future;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Asks what answers this, one after the other, and then nothing; gives how often it was asked.
    async fn asked(bound: Duration, answers: &[Outcome<u32>]) -> (Outcome<u32>, usize) {
        let (call, count) = (Call::within(bound), AtomicUsize::new(0));
        let ask = || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            match answers.get(number) {
                Some(answer) => future::ready(answer.clone()).boxed(),
                None => future::pending().boxed(),
            }
        };
        let outcome = patiently(&call, ask).await;
        (outcome, count.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn what_may_pass_is_asked_again() {
        let silence = Failure::refused(ErrorKind::Unavailable, "silence");
        let passing = [again("one"), Err(Failure::lost("broke")), Err(silence)];
        let answers = [&passing[..], &[again("two"), Ok(7)]].concat();
        let (outcome, count) = asked(LONG, &answers).await;
        assert_eq!((outcome.unwrap(), count), (7, 5));
    }

    #[tokio::test]
    async fn what_does_not_pass_ends_it_at_once() {
        let never = || Err(Failure::refused(ErrorKind::Config, "never"));
        let nobody = || Err(Failure::refused(ErrorKind::Unavailable, "nobody"));
        for (answers, expected) in [
            (vec![again("one"), never()], "never"),
            (vec![never()], "never"),
            (vec![nobody()], "nobody"),
        ] {
            let (outcome, count) = asked(LONG, &answers).await;
            assert_eq!(&*outcome.unwrap_err().message, expected);
            assert_eq!(count, answers.len());
        }
    }

    #[tokio::test]
    async fn what_was_heard_last_is_told_at_the_end() {
        let began = Instant::now();
        let (outcome, count) = asked(Duration::from_secs(1), &[again("one"), again("two")]).await;
        let failure = outcome.unwrap_err();
        assert_eq!((failure.cause, &*failure.message), (Cause::Again, "two"));
        assert_eq!(count, 3);
        assert!(began.elapsed() < LONG);
    }

    fn again(problem: &str) -> Outcome<u32> {
        Err(Failure::again(problem))
    }
}
