//! Instants, and the clocks that give them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{Error, Result};

/// A UTC instant in whole microseconds, from 1970 to the end of the year 9999.
///
/// # Behavior
///
/// - Finer digits are cut off when an instant is made, so that every backend gives back exactly
///   what it got (contract, section 2).
/// - Shown and read as RFC 3339 with microseconds and `Z`; any offset is converted to UTC.
///
/// # Examples
///
/// ```
/// use tokenkeep_core::Timestamp;
///
/// let at: Timestamp = "2030-01-02T05:04:05.1234567+02:00".parse()?;
/// assert_eq!(at.to_string(), "2030-01-02T03:04:05.123456Z");
/// # Ok::<(), tokenkeep_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z, the earliest instant.
    pub const MIN: Self = Self(0);
    /// 9999-12-31T23:59:59.999999Z, the latest instant.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant so many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside [`MIN`](Self::MIN) to [`MAX`](Self::MAX); it names `field`.
    pub fn from_micros(field: &str, micros: i64) -> Result<Self> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(Error::invalid_input(
                field,
                "lies outside the years 1970 to 9999",
            ))
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z; never negative.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The instant as chrono has it.
    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The instant later by a span, [`MAX`](Self::MAX) at most; parts of a microsecond are cut off.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(span).min(Self::MAX.0))
    }

    /// The instant earlier by a span, [`MIN`](Self::MIN) at least; parts of a microsecond are cut off.
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(span).max(Self::MIN.0))
    }

    /// The time from an earlier instant to this one; zero if it is not earlier.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl TryFrom<DateTime<Utc>> for Timestamp {
    type Error = Error;

    /// Cuts off what is finer than a microsecond.
    fn try_from(at: DateTime<Utc>) -> Result<Self> {
        Self::from_micros("timestamp", at.timestamp_micros())
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads RFC 3339 with any offset.
    fn from_str(text: &str) -> Result<Self> {
        let at = DateTime::parse_from_rfc3339(text)
            .map_err(|_| Error::invalid_input("timestamp", "is no RFC 3339 instant"))?;
        Self::try_from(at.to_utc())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .to_datetime()
                .to_rfc3339_opts(SecondsFormat::Micros, true),
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where *now* comes from (contract, section 1).
///
/// A driver asks the clock it was opened with and no other: neither the process nor the server.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present instant. Cheap, and never waits.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::MIN.saturating_add(since)
    }
}

/// A clock that stands still until it is moved: for tests, which then need no sleep.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokenkeep_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::new("2030-01-01T00:00:00Z".parse::<Timestamp>()?);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().to_string(), "2030-01-01T00:01:00.000000Z");
/// # Ok::<(), tokenkeep_core::Error>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at the given instant.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_micros()))
    }

    /// Moves the clock on; parts of a microsecond are cut off.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().saturating_add(span));
    }

    /// Moves the clock to an instant, be it an earlier one.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_what_its_docs_say() {
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::MIN.to_string(), "1970-01-01T00:00:00.000000Z");
        assert!(Timestamp::from_micros("expires_at", -1).is_err());
        assert!(Timestamp::from_micros("expires_at", Timestamp::MAX.as_micros() + 1).is_err());
    }

    #[test]
    fn sums_stay_in_range() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        assert_eq!(
            Timestamp::MIN.saturating_since(Timestamp::MAX),
            Duration::ZERO
        );
    }

    #[test]
    fn text_that_is_no_instant_is_refused() {
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
    }

    #[test]
    fn the_system_clock_is_past_2020() {
        assert!(SystemClock.now() > "2020-01-01T00:00:00Z".parse().unwrap());
    }
}
