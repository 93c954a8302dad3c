//! A connection that commits nothing any more once its call has given it up.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::SqliteConnection;

use super::failure::failed;
use crate::failure::Outcome;

/// A connection to the file, with the thread that works for it.
///
/// The thread does not hear that a call was dropped, or ran out of time, while it waits for the file:
/// without more it would write as soon as it got the file, long after the caller was answered. So a
/// dropped session turns each commit that is still to come into a rollback.
#[derive(Debug)]
pub(super) struct Session {
    connection: SqliteConnection,
    is_given_up: Arc<AtomicBool>,
}

impl Session {
    pub(super) async fn new(mut connection: SqliteConnection) -> Outcome<Self> {
        let is_given_up = Arc::new(AtomicBool::new(false));
        let hook = Arc::clone(&is_given_up);
        let mut handle = connection.lock_handle().await.map_err(failed)?;
        handle.set_commit_hook(move || !hook.load(Ordering::SeqCst));
        drop(handle);
        Ok(Self {
            connection,
            is_given_up,
        })
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
