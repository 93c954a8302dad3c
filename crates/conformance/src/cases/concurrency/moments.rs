//! Telling what came first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers moments, so that a call that returned can be told from one that began later.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments(Arc<AtomicU64>);

impl Moments {
    /// A number higher than all given before.
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
