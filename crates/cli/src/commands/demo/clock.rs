//! A clock that runs ahead, so that tokens expire without waiting for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokenkeep::{Clock, SystemClock, Timestamp};

/// The machine's clock, and a span that it is ahead of it.
#[derive(Debug, Default)]
pub(super) struct AheadClock {
    micros: AtomicU64,
}

impl AheadClock {
    /// Runs ahead by as much again.
    pub(super) fn skip(&self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        let ahead = Duration::from_micros(self.micros.load(Ordering::SeqCst));
        SystemClock.now().saturating_add(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ahead_by_what_was_skipped() {
        let clock = AheadClock::default();
        let before = clock.now();
        clock.skip(Duration::from_secs(60));
        assert!(clock.now().saturating_since(before) >= Duration::from_secs(60));
    }
}
