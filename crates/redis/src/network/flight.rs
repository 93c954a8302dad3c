//! Work that is done once for all who ask for it meanwhile.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::sync::oneshot;

/// One piece of work at a time, in a task of its own, so that it goes on where a caller gives up.
pub(super) struct Flight<T: Clone>(Arc<Slot<T>>);

/// What is under way.
type Slot<T> = Mutex<Option<Work<T>>>;

type Work<T> = Shared<BoxFuture<'static, Outcome<T>>>;

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// The work that is under way, or else this, which begins. It goes on where nobody waits for it.
    pub(super) fn join(&self, work: impl Future<Output = Outcome<T>> + Send + 'static) -> Work<T> {
        let (done, outcome) = oneshot::channel();
        let outcome = {
            let mut current = lock(&self.0);
            if let Some(current) = &*current {
                return current.clone();
            }
            let outcome = outcome
                .map(|outcome| outcome.unwrap_or_else(|_| Err(cut_short())))
                .boxed()
                .shared();
            *current = Some(outcome.clone());
            outcome
        };
        let landing = Landing(Arc::clone(&self.0));
        // Not under the lock: where the program is ending, the task is dropped at once.
        tokio::spawn(async move {
            let outcome = work.await;
            drop(landing);
            // Nobody may be waiting.
            let _ = done.send(outcome);
        });
        outcome
    }
}

/// Makes room for the next, however the work ends.
struct Landing<T: Clone>(Arc<Slot<T>>);

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        *lock(&self.0) = None;
    }
}

impl<T: Clone> fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

fn lock<T: Clone>(slot: &Slot<T>) -> MutexGuard<'_, Option<Work<T>>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cut_short() -> Failure {
    Failure::refused(ErrorKind::Unavailable, "the program is ending")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn work_is_done_once_for_all_who_ask_meanwhile() {
        let flight = Flight::new();
        let (count, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        for expected in 1..4 {
            let work = || {
                let (count, go) = (Arc::clone(&count), Arc::clone(&go));
                flight.join(async move {
                    go.notified().await;
                    Ok(count.fetch_add(1, Ordering::Relaxed) + 1)
                })
            };
            let (first, second) = (work(), work());
            drop(work());
            go.notify_one();
            let (first, second) = tokio::join!(first, second);
            assert_eq!((first.unwrap(), second.unwrap()), (expected, expected));
        }
    }

    #[test]
    fn work_that_a_runtime_takes_with_it_leaves_room_for_more() {
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.build().unwrap()
        };
        let flight = Flight::new();
        let first = runtime();
        let cut = {
            let _entered = first.enter();
            flight.join(std::future::pending::<Outcome<u32>>())
        };
        drop(first);
        let second = runtime();
        assert!(second.block_on(cut).is_err());
        let done = second.block_on(async { flight.join(async { Ok(7) }).await });
        assert_eq!(done.unwrap(), 7);
    }
}
