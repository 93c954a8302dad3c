//! The file that a store was opened as, told from one that took its place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Row as _, SqliteConnection};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;

use super::failure::{GONE, reading};
use super::mark::Mark;
use super::statements;

/// How long a look at the path is good for, where only reads depend on it.
const REST: Duration = Duration::from_secs(1);

/// A store's file, by what the system calls it and by the store's own id.
///
/// # Behavior
///
/// Once another file was seen in its place, or none, it stays lost: what was written to the other since
/// is not this store's.
#[derive(Debug)]
pub(super) struct StoreFile {
    mark: Mark,
    store: i64,
    is_lost: AtomicBool,
    opened: Instant,
    /// When the path was last looked at, in milliseconds since then.
    looked_at: AtomicU64,
}

impl StoreFile {
    /// The file at this path, to which the connection is.
    pub(super) async fn of(path: &Path, connection: &mut SqliteConnection) -> Outcome<Arc<Self>> {
        let path = path.to_owned();
        let mark = blocking(move || Mark::of(path)).await?;
        Ok(Arc::new(Self {
            mark: mark.map_err(|_| gone())?,
            store: store_id(connection).await?,
            is_lost: AtomicBool::new(false),
            opened: Instant::now(),
            looked_at: AtomicU64::new(0),
        }))
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        self.mark.path()
    }

    /// Looks whether the path still leads to the file. Blocks as long as the disk does.
    pub(super) fn is_there(&self) -> bool {
        if self.is_lost.load(Ordering::Relaxed) {
            return false;
        }
        let is_there = self.mark.is_there();
        if matches!(is_there, Ok(false)) {
            self.lose();
        }
        self.looked_at.store(self.age(), Ordering::Relaxed);
        is_there.unwrap_or(false)
    }

    /// The store is no longer what it was.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// As [`is_there`](Self::is_there), and apart from the runtime's own threads.
    pub(super) async fn look(self: &Arc<Self>) -> Outcome<()> {
        let file = Arc::clone(self);
        match blocking(move || file.is_there()).await? {
            true => Ok(()),
            false => Err(gone()),
        }
    }

    /// As [`look`](Self::look), at most once in a second.
    pub(super) async fn glance(self: &Arc<Self>) -> Outcome<()> {
        if self.is_lost.load(Ordering::Relaxed) {
            return Err(gone());
        }
        // Another thread may have looked since.
        let rested = self
            .age()
            .saturating_sub(self.looked_at.load(Ordering::Relaxed));
        if u128::from(rested) < REST.as_millis() {
            return Ok(());
        }
        self.look().await
    }

    /// How many bytes the log beside the file has; none is an empty one.
    pub(super) async fn log_length(&self) -> Outcome<u64> {
        let log = beside(self.path(), "-wal");
        blocking(move || log.metadata().map_or(0, |log| log.len())).await
    }

    /// Proves that a new connection is to the same store.
    pub(super) async fn recognize(&self, connection: &mut SqliteConnection) -> Outcome<()> {
        if store_id(connection).await? == self.store {
            return Ok(());
        }
        self.lose();
        Err(gone())
    }

    fn age(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Another file has its place, or none.
pub(super) fn gone() -> Failure {
    Failure::refused(ErrorKind::Unavailable, GONE)
}

async fn store_id(connection: &mut SqliteConnection) -> Outcome<i64> {
    let row = sqlx::query(statements::PROOF).fetch_one(connection).await;
    row.and_then(|row| row.try_get(0)).map_err(reading)
}

/// Does work that waits for the disk on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Outcome<T> {
    let cut_short = |_| Failure::refused(ErrorKind::Unavailable, "the runtime is shutting down");
    tokio::task::spawn_blocking(work).await.map_err(cut_short)
}

/// The path of a file that SQLite keeps beside this one.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Tells whether there is a file; blocks as long as the disk does.
pub(super) fn exists(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}
