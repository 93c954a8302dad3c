//! An open folder: its writer thread, and the ways to it.

use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use tokenkeep_core::{Clock, Error, ErrorKind, Result};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::disk::Disk;
use crate::driver::SledDriver;
use crate::error::DRIVER;
use crate::failure::Failure;
use crate::folder;
use crate::job::{Caller, Job, Reply, Request};
use crate::options::{SledOptions, check_namespace};
use crate::writer::Writer;

/// How many short writes wait in the queue at most.
const SHORT_CALLS: usize = 1024;
/// How many long ones wait or are under way at most; each may hold many records.
const LONG_CALLS: usize = 64;
/// How many scans run at once at most.
const SCANS: usize = 8;

/// One opened folder, with the one thread that writes to it. Clones share it.
///
/// # Behavior
///
/// - The folder is locked as long as a clone or a driver lives: a second opening, be it in the same
///   process, is refused.
/// - When the last of them is dropped, all that was written goes to the disk, the thread ends and the
///   folder is free, all before the drop returns. [`close`](Self::close) does the same without
///   blocking an async thread, and tells of errors.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tokenkeep_core::{SystemClock, TokenDriver};
/// use tokenkeep_sled::{SledOptions, SledStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tokenkeep_core::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let store = SledStore::open(SledOptions::new(folder.path()), Arc::new(SystemClock)).await?;
/// let driver = store.driver("region-1").await?;
/// assert_eq!(driver.check().await?.namespace, "region-1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SledStore(Arc<Shared>);

/// A store that does not keep its folder open: to share one folder between those who use it.
#[derive(Clone, Debug)]
pub struct WeakSledStore(Weak<Shared>);

impl WeakSledStore {
    /// The store, if it is still open.
    #[must_use]
    pub fn upgrade(&self) -> Option<SledStore> {
        self.0.upgrade().map(SledStore)
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: SledOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) failure: Arc<Failure>,
    pub(crate) scans: Arc<Semaphore>,
    queue: Option<mpsc::Sender<Request>>,
    pub(crate) short_places: Arc<Semaphore>,
    pub(crate) long_places: Arc<Semaphore>,
    ended: Mutex<Option<mpsc::Receiver<Ended>>>,
}

/// What the writer leaves: the open folder, and whether all of it got to the disk.
type Ended = (Disk, Result<()>);

impl SledStore {
    /// Opens the store in a folder, or makes it. The namespace of the options plays no part.
    ///
    /// # Behavior
    ///
    /// - The whole store is read first and compared with what was acknowledged, which takes a
    ///   quarter of a second to two seconds for each gigabyte; a damaged one is left as it was.
    /// - The time is this clock's, for all drivers that are not opened with one of their own.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the folder is in use, or the disk full. `Config` for options that make no
    /// sense, for a folder that cannot be written or is a file, and for one that holds another
    /// database. `Corrupt`, naming the file, if a part of what was acknowledged is missing.
    ///
    /// # Cancel safety
    ///
    /// The folder is opened and closed again.
    pub async fn open(options: SledOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let opening = tokio::task::spawn_blocking(move || Shared::open(options, clock));
        let opened = opening.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "opening the store failed").with_source(error)
        });
        opened
            .and_then(|opened| opened)
            .map(|shared| Self(Arc::new(shared)))
            .map_err(|error| error.with_driver(DRIVER).with_operation("open"))
    }

    /// Opens a driver on a namespace, or makes the namespace; any number of drivers may share one.
    ///
    /// # Errors
    ///
    /// `Config` unless the name has 1 to 255 bytes, and if a newer version of this program made the
    /// namespace. `Corrupt` if it does not say what it is. `Unavailable` or `Indeterminate` if
    /// the store fails.
    ///
    /// # Cancel safety
    ///
    /// The namespace is made or not.
    pub async fn driver(&self, namespace: &str) -> Result<SledDriver> {
        self.driver_with_clock(namespace, Arc::clone(&self.0.clock))
            .await
    }

    /// As [`driver`](Self::driver), with another clock than the store's.
    ///
    /// # Errors
    ///
    /// As [`driver`](Self::driver).
    ///
    /// # Cancel safety
    ///
    /// As [`driver`](Self::driver).
    pub async fn driver_with_clock(
        &self,
        namespace: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<SledDriver> {
        let named = |error: Error| error.with_driver(DRIVER).with_operation("open");
        check_namespace(namespace).map_err(named)?;
        let opened = self.0.submit(&self.0.short_places, |reply| {
            Job::Open(namespace.to_owned(), reply)
        });
        let namespace = opened.await.map_err(named)?;
        let caller = Caller { namespace, clock };
        Ok(SledDriver::new(caller, Arc::clone(&self.0)))
    }

    /// Closes the store, if this is the last handle: all that was written goes to the disk, and the
    /// folder is free when this returns.
    ///
    /// # Errors
    ///
    /// `Indeterminate` if what was written with relaxed durability did not get to the disk.
    ///
    /// # Cancel safety
    ///
    /// The store is closed all the same.
    pub async fn close(self) -> Result<()> {
        let closing = tokio::task::spawn_blocking(move || {
            Arc::into_inner(self.0).map_or(Ok(()), |mut shared| shared.shut())
        });
        let closed = closing.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "closing the store failed").with_source(error)
        });
        closed
            .and_then(|closed| closed)
            .map_err(|error| error.with_driver(DRIVER).with_operation("close"))
    }

    /// The store without keeping it open.
    #[must_use]
    pub fn downgrade(&self) -> WeakSledStore {
        WeakSledStore(Arc::downgrade(&self.0))
    }
}

impl Shared {
    fn open(options: SledOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        options.check()?;
        let failure = Arc::new(Failure::default());
        let (db, disk) = folder::open(&options, &failure)?;
        let (queue, requests) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let writer = Writer {
            db,
            disk,
            limits: options.limits,
            durability: options.durability,
            failure: Arc::clone(&failure),
            requests,
        };
        thread::Builder::new()
            .name("tokenkeep-sled".to_owned())
            .spawn(move || {
                // If nobody waits any more, the folder is closed here.
                let _ = end.send(writer.run());
            })
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error)
            })?;
        Ok(Self {
            options,
            clock,
            failure,
            scans: Arc::new(Semaphore::new(SCANS)),
            queue: Some(queue),
            short_places: Arc::new(Semaphore::new(SHORT_CALLS)),
            long_places: Arc::new(Semaphore::new(LONG_CALLS)),
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Hands a job to the writer and waits for the answer.
    pub(crate) async fn submit<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T> {
        self.failure.check()?;
        let deadline = self.deadline();
        let place = timeout_at(deadline, Arc::clone(places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(unavailable("the queue of writes did not move in time"));
        };
        let (reply, answer) = Reply::new();
        let request = Request {
            job: job(reply),
            place,
        };
        let queue = self.queue.as_ref();
        if queue.is_none_or(|queue| queue.send(request).is_err()) {
            return Err(unavailable("the writer has ended"));
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(indeterminate("the writer ended before it answered")),
            Err(_) => Err(indeterminate("the writer did not answer in time")),
        }
    }

    /// When a call that begins now has to end (R16).
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.options.timeout
    }

    /// Ends the writer and closes the folder.
    fn shut(&mut self) -> Result<()> {
        self.queue = None;
        let ended = self
            .ended
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(ended) = ended else {
            return Ok(());
        };
        match ended.recv_timeout(self.options.timeout) {
            Ok((disk, flushed)) => {
                close_in_time(disk, self.options.timeout);
                flushed
            }
            Err(_) => Err(indeterminate("the writer did not end in time")),
        }
    }
}

/// Closes the database, on a thread that is left behind if that takes too long: on a full disk sled
/// may wait for ever for what it could not write. The folder then stays locked until the process ends.
fn close_in_time(disk: Disk, timeout: Duration) {
    let (closed, closing) = mpsc::channel();
    let closer = thread::Builder::new().spawn(move || {
        drop(disk);
        let _ = closed.send(());
    });
    if closer.is_err() || closing.recv_timeout(timeout).is_err() {
        tracing::error!("the sled store could not be closed in time");
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            tracing::error!(%error, "the sled store was not closed well");
        }
    }
}

pub(crate) fn unavailable(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}

fn indeterminate(message: &'static str) -> Error {
    Error::new(ErrorKind::Indeterminate, message)
}
