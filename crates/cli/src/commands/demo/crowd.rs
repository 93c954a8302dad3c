//! Many callers at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokenkeep::{Error, ErrorKind, Result};
use tokio::task::JoinSet;

use crate::output::Progress;

/// How many calls are made at the same time.
pub(super) const CALLERS: usize = 64;

/// Makes a call for each input; gives the answers in no order. The first error ends it.
pub(super) async fn call<I, T, F, Fut>(what: &str, inputs: Vec<I>, act: F) -> Result<Vec<T>>
where
    I: Send + 'static,
    T: Send + 'static,
    F: Fn(I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send,
{
    let progress = Arc::new(Progress::bar(what, inputs.len() as u64));
    let mut answers = Vec::with_capacity(inputs.len());
    let inputs = Arc::new(Mutex::new(inputs.into_iter()));
    let act = Arc::new(act);
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (inputs, act) = (Arc::clone(&inputs), Arc::clone(&act));
        let progress = Arc::clone(&progress);
        callers.spawn(async move {
            let next = || inputs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let mut answers = Vec::new();
            while let Some(input) = next() {
                answers.push(act(input).await?);
                progress.add(1);
            }
            Ok::<_, Error>(answers)
        });
    }
    while let Some(ended) = callers.join_next().await {
        let ended = ended.map_err(|error| {
            Error::new(ErrorKind::Internal, "a caller of the demo ended early").with_source(error)
        })?;
        answers.extend(ended?);
    }
    Ok(answers)
}
