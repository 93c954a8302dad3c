//! Work on many shards at once.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, stream};
use tokenkeep_backend::{Cause, Failure, Outcome, after_a_part};
use tokenkeep_core::{Error, Result};

use super::core::writing;

/// How many shards are worked on at once.
const AT_ONCE: usize = 16;

/// Works on each of these shards, some at once, and gives what came of it in the same order.
///
/// After a failure no further shard is begun; those under way go on to their end, so that what was done
/// is known.
pub(super) async fn scatter<T, F>(
    shards: impl Iterator<Item = usize> + Send,
    work: impl Fn(usize) -> F + Send + Sync,
) -> Vec<Outcome<T>>
where
    T: Send,
    F: Future<Output = Outcome<T>> + Send,
{
    let has_failed = AtomicBool::new(false);
    let one = |shard| {
        let (work, has_failed) = (work(shard), &has_failed);
        async move {
            if has_failed.load(Ordering::Relaxed) {
                return None;
            }
            let outcome = work.await;
            has_failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            Some(outcome)
        }
    };
    let outcomes = stream::iter(shards).map(one).buffered(AT_ONCE);
    outcomes.filter_map(std::future::ready).collect().await
}

/// What writing calls on many shards gave, if none failed; `is_touched` tells whether any of them changed
/// something, be it in a step before it failed.
pub(super) fn all_or_error<T>(outcomes: Vec<Outcome<T>>, is_touched: bool) -> Result<Vec<T>> {
    let is_lost = |outcome: &Outcome<T>| {
        let failure = outcome.as_ref().err();
        failure.is_some_and(|failure| failure.cause == Cause::Lost)
    };
    let is_touched = is_touched || outcomes.iter().any(is_lost);
    outcomes
        .into_iter()
        .collect::<Outcome<_>>()
        .map_err(|failure| of_a_part(failure, is_touched))
}

/// The error of a call that may have done a part before.
pub(super) fn of_a_part(failure: Failure, is_touched: bool) -> Error {
    match is_touched {
        true => after_a_part(writing(failure)),
        false => writing(failure),
    }
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::ErrorKind;

    use super::*;

    fn refused() -> Failure {
        Failure::refused(ErrorKind::Unavailable, "down")
    }

    #[tokio::test]
    async fn after_a_failure_nothing_more_is_begun() {
        let work = |shard| async move {
            match shard {
                3 => Err(refused()),
                shard => Ok(shard),
            }
        };
        let outcomes = scatter(0..100, work).await;
        assert!(outcomes.len() <= AT_ONCE + 4);
        assert!(matches!(outcomes[..4], [Ok(0), Ok(1), Ok(2), Err(_)]));
    }

    #[test]
    fn one_lost_answer_leaves_doubt() {
        let kind = |outcomes, is_touched| {
            let all: Result<Vec<()>> = all_or_error(outcomes, is_touched);
            all.unwrap_err().kind()
        };
        let lost = || Err(Failure::lost("gone"));
        assert_eq!(
            kind(vec![Ok(()), Err(refused())], false),
            ErrorKind::Unavailable
        );
        assert_eq!(kind(vec![Err(refused())], true), ErrorKind::Indeterminate);
        assert_eq!(
            kind(vec![Err(refused()), lost()], false),
            ErrorKind::Indeterminate
        );
        assert_eq!(all_or_error(vec![Ok(1)], true).unwrap(), [1]);
    }
}
