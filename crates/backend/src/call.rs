//! One call's bound in time, and what may have become of it by then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokenkeep_core::ErrorKind;
use tokio::time::timeout_at;

use crate::{Failure, Outcome};

/// An endless timeout is as good as a hundred years.
pub const ENDLESS: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What is told of an answer that did not come; whoever knows which server was asked can add it.
pub const NO_ANSWER: &str = "the store did not answer in time";

/// One attempt to get an answer from the store.
///
/// Until a connection was had for it, nothing of it can have been applied.
#[derive(Debug)]
pub struct Call {
    deadline: Instant,
    had_connection: AtomicBool,
    was_sent: AtomicBool,
}

impl Call {
    /// A call that ends within this time.
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        let now = tokio::time::Instant::now().into_std();
        Self::until(now + timeout.min(ENDLESS))
    }

    /// A call that ends by then.
    #[must_use]
    pub const fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            had_connection: AtomicBool::new(false),
            was_sent: AtomicBool::new(false),
        }
    }

    /// When it ends at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// From here on a statement may be on its way.
    pub fn sent(&self) {
        self.had_connection.store(true, Ordering::Relaxed);
        self.was_sent.store(true, Ordering::Relaxed);
    }

    /// What was sent was surely not applied: it was undone, or ends with its transaction.
    pub fn not_sent(&self) {
        self.was_sent.store(false, Ordering::Relaxed);
    }

    /// Runs work for this call to its end, or to the deadline.
    ///
    /// # Errors
    ///
    /// The work's own. At the deadline [`Cause::Lost`](crate::Cause::Lost) if something was sent, else
    /// `Refused(Unavailable)`.
    ///
    /// # Cancel safety
    ///
    /// That of the work.
    pub fn bound<T>(
        &self,
        work: impl Future<Output = Outcome<T>>,
    ) -> impl Future<Output = Outcome<T>> {
        // An async function would hold the work twice.
        let ended = timeout_at(self.deadline.into(), work);
        ended.map(|outcome| outcome.unwrap_or_else(|_| Err(self.cut_off())))
    }

    fn cut_off(&self) -> Failure {
        if self.was_sent.load(Ordering::Relaxed) {
            return Failure::lost(NO_ANSWER);
        }
        let problem = match self.had_connection.load(Ordering::Relaxed) {
            true => "the store did not answer in time; nothing was committed",
            false => "no connection to the store in time",
        };
        Failure::refused(ErrorKind::Unavailable, problem)
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use super::*;
    use crate::Cause;

    #[tokio::test]
    async fn a_call_that_is_cut_off_says_how_far_it_came() {
        let call = Call::within(Duration::ZERO);
        let unavailable = Cause::Refused(ErrorKind::Unavailable);
        for (step, cause, text) in [
            (None, unavailable, "no connection"),
            (Some(Call::sent as fn(&Call)), Cause::Lost, "in time"),
            (Some(Call::not_sent), unavailable, "nothing was committed"),
            (Some(Call::sent), Cause::Lost, "in time"),
        ] {
            if let Some(step) = step {
                step(&call);
            }
            let failure = call.bound(future::pending::<Outcome<()>>()).await;
            let failure = failure.unwrap_err();
            assert_eq!(failure.cause, cause);
            assert!(failure.message.contains(text), "{}", failure.message);
        }
    }
}
