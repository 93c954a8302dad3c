//! The background flush (M6).

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use prometheus_client::registry::Registry as Metrics;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::flush_metrics::FlushCollector;
use crate::{Error, ErrorKind, FlushOptions, Flushed, Result, TokenDriver};

/// Removes expired tokens, once or in the background (M6). Clones share their figures.
///
/// # Behavior
///
/// - A run removes batch after batch until no expired token waits, with a pause between two.
/// - Any number of them, on any number of nodes, may work on one store (R13).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tokenkeep::{FlushOptions, Flusher, MemoryDriver, SystemClock};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tokenkeep::Result<()> {
/// let driver = Arc::new(MemoryDriver::new(Arc::new(SystemClock)));
/// let flusher = Flusher::new(driver, FlushOptions::default())?;
/// let task = flusher.spawn();
/// assert_eq!(flusher.status().errors, 0);
/// task.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Flusher {
    driver: Arc<dyn TokenDriver>,
    options: FlushOptions,
    figures: Arc<Mutex<Figures>>,
}

#[derive(Debug)]
struct Figures {
    runs: u64,
    removed: u64,
    errors: u64,
    last_error: Option<ErrorKind>,
    /// When the last complete run ended; before that, when the flusher was made.
    caught_up_at: Instant,
}

/// What a [`Flusher`] has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushStatus {
    /// How many runs reached the end: no expired token was waiting then.
    pub runs: u64,
    /// How many expired tokens are gone.
    pub removed: u64,
    /// How many runs ended with an error.
    pub errors: u64,
    /// What ended the latest run; none if it reached the end.
    pub last_error: Option<ErrorKind>,
    /// How long ago a run reached the end last; as long as none has, the age of the flusher.
    pub behind: Duration,
}

impl Flusher {
    /// A flusher that has done nothing yet.
    ///
    /// # Errors
    ///
    /// `Config` where [`FlushOptions::check`] says so.
    pub fn new(driver: Arc<dyn TokenDriver>, options: FlushOptions) -> Result<Self> {
        options.check()?;
        let figures = Figures {
            runs: 0,
            removed: 0,
            errors: 0,
            last_error: None,
            caught_up_at: Instant::now(),
        };
        Ok(Self {
            driver,
            options,
            figures: Arc::new(Mutex::new(figures)),
        })
    }

    /// Removes all expired tokens now; returns how many went.
    ///
    /// # Errors
    ///
    /// As [`TokenDriver::flush_expired`], and `Internal` if the driver panicked. What went before the
    /// error stays gone and counted.
    ///
    /// # Cancel safety
    ///
    /// Each expired token is removed or not.
    pub async fn flush_once(&self) -> Result<u64> {
        let mut removed = 0;
        loop {
            match self.flush_batch().await {
                Ok(flushed) => {
                    removed += flushed.removed;
                    self.figures().removed += flushed.removed;
                    if !flushed.more {
                        self.figures().end_run();
                        return Ok(removed);
                    }
                }
                Err(error) => {
                    self.figures().fail_run(error.kind());
                    return Err(error);
                }
            }
            sleep(self.options.pause).await;
        }
    }

    /// Begins to flush in the background: now, and an interval after the end of each run.
    ///
    /// No error and no panic of the driver ends it; after an error it rests for a while that doubles
    /// with each further one in a row. It goes on until the task is stopped or dropped. Has to be
    /// called inside a tokio runtime.
    pub fn spawn(&self) -> FlushTask {
        FlushTask(tokio::spawn(self.clone().flush_for_ever()))
    }

    /// What was done so far, by this flusher and its clones.
    #[must_use]
    pub fn status(&self) -> FlushStatus {
        let figures = self.figures();
        FlushStatus {
            runs: figures.runs,
            removed: figures.removed,
            errors: figures.errors,
            last_error: figures.last_error,
            behind: figures.caught_up_at.elapsed(),
        }
    }

    /// Shows the status as metrics, read anew at each scrape: `tokenkeep_flush_runs_total`,
    /// `tokenkeep_flush_removed_total`, `tokenkeep_flush_errors_total` and
    /// `tokenkeep_flush_behind_seconds`.
    pub fn register(&self, metrics: &mut Metrics) {
        metrics.register_collector(Box::new(FlushCollector(self.clone())));
    }

    async fn flush_for_ever(self) {
        let mut retry_after = self.options.retry_min;
        loop {
            match self.flush_once().await {
                Ok(removed) => {
                    tracing::debug!(removed, "expired tokens flushed");
                    retry_after = self.options.retry_min;
                    sleep(self.options.interval).await;
                }
                Err(error) => {
                    tracing::warn!(%error, ?retry_after, "flushing expired tokens failed");
                    sleep(retry_after).await;
                    retry_after = retry_after.saturating_mul(2).min(self.options.retry_max);
                }
            }
        }
    }

    /// One call of the driver; a panic in it becomes an error.
    async fn flush_batch(&self) -> Result<Flushed> {
        let mut call = self.driver.flush_expired(self.options.batch);
        // After a panic the call is never polled again, so nothing broken is looked at.
        poll_fn(|context| {
            catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))).unwrap_or_else(|_| {
                let problem = "the driver panicked while it flushed";
                Poll::Ready(Err(Error::new(ErrorKind::Internal, problem)))
            })
        })
        .await
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures {
    fn end_run(&mut self) {
        self.runs += 1;
        self.last_error = None;
        self.caught_up_at = Instant::now();
    }

    const fn fail_run(&mut self, kind: ErrorKind) {
        self.errors += 1;
        self.last_error = Some(kind);
    }
}

/// A [`Flusher`] at work in the background. Dropping it stops the work.
#[derive(Debug)]
#[must_use = "dropping it stops the flush"]
pub struct FlushTask(JoinHandle<()>);

impl FlushTask {
    /// Stops the work and waits for its end; a batch under way is dropped, not awaited.
    ///
    /// # Cancel safety
    ///
    /// The work ends all the same.
    pub async fn stop(mut self) {
        self.0.abort();
        // The only result is that the task was cancelled.
        let _ = (&mut self.0).await;
    }
}

impl Drop for FlushTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
