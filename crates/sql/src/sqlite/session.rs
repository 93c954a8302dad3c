//! A connection that commits nothing that would be lost, or that nobody waits for any more.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;

use super::failure::failed;
use super::file::{StoreFile, beside, blocking};
use super::log;
use super::mark::Mark;
use tokenkeep_backend::Outcome;

/// A connection to the file, with the thread that works for it.
///
/// The thread does not hear that a call was dropped, or ran out of time, while it waits for the file:
/// without more it would write as soon as it got the file, long after the caller was answered. So a
/// dropped session turns each commit that is still to come into a rollback; and so does any session
/// whose file, or the log beside it, is no longer what its path leads to.
#[derive(Debug)]
pub(super) struct Session {
    connection: SqliteConnection,
    is_given_up: Arc<AtomicBool>,
    log_length: Arc<AtomicU64>,
    restarts: log::Restarts,
}

impl Session {
    /// On a connection that has read from the file.
    pub(super) async fn new(
        mut connection: SqliteConnection,
        file: &Arc<StoreFile>,
    ) -> Outcome<Self> {
        let path = beside(file.path(), "-wal");
        // There is none in another journal mode.
        let log = blocking(move || Mark::of(path).ok()).await?;
        let is_given_up = Arc::new(AtomicBool::new(false));
        let log_length = Arc::new(AtomicU64::new(0));
        let gate = Gate {
            is_given_up: Arc::clone(&is_given_up),
            file: Arc::clone(file),
            log,
            log_length: Arc::clone(&log_length),
        };
        let mut handle = connection.lock_handle().await.map_err(failed)?;
        handle.set_commit_hook(move || gate.may_commit());
        drop(handle);
        Ok(Self {
            connection,
            is_given_up,
            log_length,
            restarts: log::Restarts::new(),
        })
    }

    /// Tells whether the log should begin anew before anything else is written.
    pub(super) fn takes_log_for_long(&self) -> bool {
        self.restarts
            .is_due(self.log_length.load(Ordering::Relaxed))
    }

    /// Lets it, unless readers are slow.
    pub(super) async fn restart_log(&mut self, busy: Duration) -> Outcome<()> {
        self.restarts.attempt(&mut self.connection, busy).await
    }
}

/// What a commit has to pass, on the connection's own thread.
struct Gate {
    is_given_up: Arc<AtomicBool>,
    file: Arc<StoreFile>,
    log: Option<Mark>,
    log_length: Arc<AtomicU64>,
}

impl Gate {
    fn may_commit(&self) -> bool {
        !self.is_given_up.load(Ordering::SeqCst) && self.file.is_there() && self.has_log()
    }

    fn has_log(&self) -> bool {
        let Some(log) = &self.log else {
            return true;
        };
        match log.length() {
            Ok(Some(length)) => {
                self.log_length.store(length, Ordering::Relaxed);
                true
            }
            Ok(None) => {
                self.file.lose();
                false
            }
            Err(_) => false,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.is_given_up.store(true, Ordering::SeqCst);
    }
}

impl Deref for Session {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
