//! A store under measurement.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{Clock, ManualClock, Result, Timestamp, TokenDriver, TokenRecord};

use crate::Tokens;

/// How many tokens are stored at once.
pub(crate) const BATCH: usize = 1_000;

/// A store under measurement, and the tokens in it: those with the numbers below its size, and others
/// that a measurement adds.
pub struct Store {
    /// Its driver.
    pub driver: Arc<dyn TokenDriver>,
    /// What its tokens are like.
    pub tokens: Tokens,
    /// How many tokens it was filled with.
    pub size: usize,
    clock: Arc<ManualClock>,
    next: usize,
}

impl Store {
    /// A store whose driver has this clock, and which is filled with so many tokens.
    #[must_use]
    pub fn new(driver: Arc<dyn TokenDriver>, clock: Arc<ManualClock>, size: usize) -> Self {
        Self {
            driver,
            tokens: Tokens::new(clock.now()),
            size,
            clock,
            next: size,
        }
    }

    /// Gives the first of so many numbers of tokens that no store has.
    pub fn fresh(&mut self, count: usize) -> usize {
        let first = self.next;
        self.next += count;
        first
    }

    /// Stores the tokens that are made from these numbers, 1,000 at once.
    ///
    /// # Errors
    ///
    /// The first that one of them ends with.
    pub async fn store(
        &self,
        numbers: std::ops::Range<usize>,
        token: impl Fn(usize) -> Result<TokenRecord>,
    ) -> Result<()> {
        for start in numbers.clone().step_by(BATCH) {
            let batch = (start..numbers.end.min(start + BATCH)).map(&token);
            store(&*self.driver, batch.collect::<Result<_>>()?).await?;
        }
        Ok(())
    }

    /// The instant that its driver takes for now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass for its driver.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("driver", &self.driver)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Stores records; each has to succeed.
///
/// # Errors
///
/// The first that one of them ends with.
pub async fn store(driver: &dyn TokenDriver, records: Vec<TokenRecord>) -> Result<()> {
    for answer in driver.create_many(records).await? {
        answer?;
    }
    Ok(())
}
