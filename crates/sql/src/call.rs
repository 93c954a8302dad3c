//! One call's bound in time, and whether anything was sent for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use crate::failure::{Failure, Outcome};

/// One attempt to get an answer from the database.
///
/// Until a connection was had for it, nothing of it can have been applied.
#[derive(Debug)]
pub(crate) struct Call {
    deadline: Instant,
    was_sent: AtomicBool,
}

impl Call {
    /// A call that ends within this time.
    pub(crate) fn within(timeout: Duration) -> Self {
        let now = Instant::now();
        // An endless timeout is as good as a hundred years.
        let far = Duration::from_secs(100 * 365 * 24 * 3600);
        Self {
            deadline: now + timeout.min(far),
            was_sent: AtomicBool::new(false),
        }
    }

    /// When it ends at the latest.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// From here on a statement may be on its way.
    pub(crate) fn sent(&self) {
        self.was_sent.store(true, Ordering::Relaxed);
    }

    /// What was sent was surely not applied, and the call begins anew.
    pub(crate) fn not_sent(&self) {
        self.was_sent.store(false, Ordering::Relaxed);
    }

    /// Runs work for this call to its end, or to the deadline.
    pub(crate) async fn bound<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        match timeout_at(self.deadline.into(), work).await {
            Ok(outcome) => outcome,
            Err(_) if self.was_sent.load(Ordering::Relaxed) => {
                Err(Failure::lost("the database did not answer in time"))
            }
            Err(_) => Err(Failure::refused(
                tokenkeep_core::ErrorKind::Unavailable,
                "no connection to the database in time",
            )),
        }
    }
}
