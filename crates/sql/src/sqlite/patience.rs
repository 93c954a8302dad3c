//! How long to wait for another program that holds the file.

use std::time::{Duration, Instant};

use tokenkeep_backend::{Cause, Failure, Outcome};

use super::connector::PAUSE;

/// How long one look after the schema waits for other programs, in all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    until: Instant,
}

impl Patience {
    /// From now on.
    pub(super) fn new(time: Duration) -> Self {
        Self {
            until: Instant::now() + time,
        }
    }

    /// Waits a moment, before what failed so is done again.
    ///
    /// # Errors
    ///
    /// The failure, where another attempt is of no use or there is no time for one.
    pub(super) async fn wait_after(&self, failure: Failure) -> Outcome<()> {
        if failure.cause != Cause::Again || Instant::now() >= self.until {
            return Err(failure);
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}
