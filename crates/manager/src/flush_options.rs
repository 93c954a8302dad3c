//! How expired tokens are removed.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Result, config_error, durations};

/// How expired tokens are removed in the background: the section `flush` of the configuration.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokenkeep::FlushOptions;
///
/// let options = FlushOptions::default().with_interval(Duration::from_secs(5));
/// assert_eq!(options.batch.get(), 1_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FlushOptions {
    /// How long to rest after all expired tokens are gone. Default: `60s`.
    #[serde(with = "durations")]
    pub interval: Duration,
    /// How many tokens to remove in one call of the driver. Default: `1000`.
    pub batch: NonZeroU32,
    /// How long to rest between two batches, so that others get their turn. Default: `10ms`.
    #[serde(with = "durations")]
    pub pause: Duration,
    /// How long to rest after an error; doubled with each further one in a row. Default: `1s`.
    #[serde(with = "durations")]
    pub retry_min: Duration,
    /// How long to rest after an error at most. Default: `60s`.
    #[serde(with = "durations")]
    pub retry_max: Duration,
}

impl Default for FlushOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            batch: NonZeroU32::MIN.saturating_add(999),
            pause: Duration::from_millis(10),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
        }
    }
}

impl FlushOptions {
    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// `Config`, naming the field.
    pub fn check(&self) -> Result<()> {
        if self.interval.is_zero() {
            return Err(config_error("flush.interval is zero"));
        }
        if self.retry_min.is_zero() {
            return Err(config_error("flush.retry_min is zero"));
        }
        if self.retry_max < self.retry_min {
            return Err(config_error(
                "flush.retry_max is shorter than flush.retry_min",
            ));
        }
        Ok(())
    }

    /// Sets [`interval`](Self::interval).
    #[must_use]
    pub const fn with_interval(mut self, span: Duration) -> Self {
        self.interval = span;
        self
    }

    /// Sets [`batch`](Self::batch).
    #[must_use]
    pub const fn with_batch(mut self, tokens: NonZeroU32) -> Self {
        self.batch = tokens;
        self
    }

    /// Sets [`pause`](Self::pause).
    #[must_use]
    pub const fn with_pause(mut self, span: Duration) -> Self {
        self.pause = span;
        self
    }

    /// Sets [`retry_min`](Self::retry_min) and [`retry_max`](Self::retry_max).
    #[must_use]
    pub const fn with_retry(mut self, min: Duration, max: Duration) -> Self {
        self.retry_min = min;
        self.retry_max = max;
        self
    }
}
