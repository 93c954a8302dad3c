//! Work that is done once for all who ask for it meanwhile.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;

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
        let mut current = lock(&self.0);
        if let Some(current) = &*current {
            return current.clone();
        }
        let landing = Landing(Arc::clone(&self.0));
        let work = tokio::spawn(async move {
            let _landing = landing;
            work.await
        })
        .map(|done| done.unwrap_or_else(|_| Err(cut_short())))
        .boxed()
        .shared();
        *current = Some(work.clone());
        work
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
