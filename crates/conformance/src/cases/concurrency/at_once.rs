//! Running calls at the same time.

use std::future::Future;
use std::sync::Arc;

use tokenkeep_core::{Error, ErrorKind};
use tokio::sync::Barrier;

use crate::check::{Check, Failure, chain};

/// Runs each future as a task of its own, all let go at the same moment; gives their answers in
/// the order of the futures.
pub(super) async fn at_once<F>(futures: Vec<F>) -> Check<Vec<F::Output>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let gate = Arc::new(Barrier::new(futures.len()));
    let let_go = |future: F| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            gate.wait().await;
            future.await
        })
    };
    let tasks: Vec<_> = futures.into_iter().map(let_go).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        let answer = task
            .await
            .map_err(|error| Failure::new(format!("a task ended early: {error}")))?;
        answers.push(answer);
    }
    Ok(answers)
}

/// Like [`at_once`], for futures that check something themselves: fails with the first failure.
pub(super) async fn all_at_once<T, F>(futures: Vec<F>) -> Check<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Check<T>> + Send + 'static,
{
    at_once(futures).await?.into_iter().collect()
}

/// Fails unless exactly one call succeeded and all others ended with an error of this kind; gives
/// the place of the one.
#[track_caller]
pub(super) fn one_winner<T>(
    answers: &[Result<T, Error>],
    losers: ErrorKind,
    what: &str,
) -> Check<usize> {
    let mut winners = Vec::new();
    for (place, answer) in answers.iter().enumerate() {
        match answer {
            Ok(_) => winners.push(place),
            Err(error) if error.kind() == losers => {}
            Err(error) => {
                let error = chain(error);
                return Err(Failure::new(format!(
                    "{what}: wanted {losers}, found {error}"
                )));
            }
        }
    }
    match winners[..] {
        [winner] => Ok(winner),
        _ => Err(Failure::new(format!(
            "{what}: {} of {} succeeded, not one",
            winners.len(),
            answers.len()
        ))),
    }
}
