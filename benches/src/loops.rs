//! Closed loops: each caller makes its next call when the last one has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::Result;

use crate::Cell;

/// How many calls a loop makes, and how many callers share them.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Callers at once.
    pub callers: usize,
    /// Calls in all.
    pub calls: usize,
}

impl Work {
    fn share(self, caller: usize) -> impl Iterator<Item = usize> {
        (caller..self.calls).step_by(self.callers)
    }
}

/// Runs an async call in a closed loop; the call is given its number.
///
/// # Errors
///
/// The first that a call ends with.
pub async fn callers<F, Fut>(work: Work, call: F) -> Result<Cell>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let call = Arc::new(call);
    let started = Instant::now();
    let tasks: Vec<_> = (0..work.callers)
        .map(|caller| {
            let call = Arc::clone(&call);
            tokio::spawn(async move {
                let mut times = Vec::with_capacity(work.calls / work.callers + 1);
                for number in work.share(caller) {
                    let started = Instant::now();
                    call(number).await?;
                    times.push(started.elapsed());
                }
                Ok::<_, tokenkeep_core::Error>(times)
            })
        })
        .collect();
    let mut times = Vec::with_capacity(work.calls);
    for task in tasks {
        match task.await {
            Ok(share) => times.append(&mut share?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    Ok(Cell::new(started.elapsed(), times))
}

/// Runs a blocking call in a closed loop on threads of its own; the call is given its number.
pub fn threads(work: Work, call: impl Fn(usize) + Send + Sync) -> Cell {
    let started = Instant::now();
    let times = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..work.callers)
            .map(|caller| {
                let call = &call;
                scope.spawn(move || {
                    work.share(caller)
                        .map(|number| timed(|| call(number)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| match thread.join() {
                Ok(times) => times,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    Cell::new(started.elapsed(), times)
}

fn timed(call: impl FnOnce()) -> Duration {
    let started = Instant::now();
    call();
    started.elapsed()
}
