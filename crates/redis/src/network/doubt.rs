//! Whether a server may be another's replica by now, or gone.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the reasons to ask who is master before a server is used again.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    raised: AtomicU64,
    settled: AtomicU64,
}

impl Doubt {
    /// A connection was lost, could not be made, or gave no answer in time.
    pub(super) fn raise(&self) {
        self.raised.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there was a reason that was not looked into.
    pub(super) fn is_raised(&self) -> bool {
        self.settled.load(Ordering::Relaxed) != self.reasons()
    }

    /// How many reasons there were, to be [settled](Self::settle) once they were looked into.
    pub(super) fn reasons(&self) -> u64 {
        self.raised.load(Ordering::Relaxed)
    }

    /// So many reasons were looked into; those that came since were not.
    pub(super) fn settle(&self, reasons: u64) {
        self.settled.fetch_max(reasons, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_that_comes_while_another_is_settled_stays() {
        let doubt = Doubt::default();
        assert!(!doubt.is_raised());
        doubt.raise();
        let reasons = doubt.reasons();
        doubt.raise();
        doubt.settle(reasons);
        assert!(doubt.is_raised());
        doubt.settle(doubt.reasons());
        assert!(!doubt.is_raised());
    }
}
