//! The state of a store whose disk has failed it.

use std::sync::OnceLock;

use tokenkeep_core::{Error, ErrorKind, Result};

/// Set once, when a write could not be brought to the disk.
///
/// From then on sled's memory and its files may differ for ever, so nothing is read or written any
/// more: a revocation that is shown but not on the disk would be undone by a restart (R7).
#[derive(Debug, Default)]
pub(crate) struct Failure(OnceLock<String>);

impl Failure {
    pub(crate) fn set(&self, cause: &Error) {
        if self.0.set(cause.message().to_owned()).is_ok() {
            tracing::error!(%cause, "the sled store has failed and takes no more calls");
        }
    }

    /// `Unavailable` once the store has failed.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some(cause) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the store failed before ({cause}): mend the cause and open it again"),
            )),
        }
    }
}
