//! Level concurrency: calls at the same time, as tasks on a runtime with more than one thread.

mod at_once;
mod winners;

use crate::case::Case;

/// The lists of this level's files.
pub(crate) const FILES: &[&[Case]] = &[winners::CASES];
