//! Whether a server was asked how it writes to disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Whether a server was found to write to disk as acknowledged writes have to be, since the last reason to
/// doubt it: behind the same name there may be another server from then on, or the same with other settings.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// One more than the reasons there were when it was found so; 0 if it never was.
    until: AtomicU64,
    asking: Mutex<(u64, Arc<OnceCell<()>>)>,
}

impl Asked {
    /// Whether it was found so after so many reasons for doubt.
    pub(super) fn is_done(&self, reasons: u64) -> bool {
        self.until.load(Ordering::Relaxed) == reasons + 1
    }

    /// What all share who ask after so many reasons.
    pub(super) fn asking(&self, reasons: u64) -> Arc<OnceCell<()>> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if asking.0 != reasons {
            *asking = (reasons, Arc::default());
        }
        Arc::clone(&asking.1)
    }

    /// It was found so.
    pub(super) fn done(&self, reasons: u64) {
        self.until.fetch_max(reasons + 1, Ordering::Relaxed);
    }
}
