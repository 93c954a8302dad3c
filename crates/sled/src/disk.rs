//! Getting what was written onto the disk for good.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokenkeep_core::{Error, Result};

use crate::error::{Effect, from_io, from_sled};
use crate::failure::Failure;
use crate::mark::{Mark, sync_folder};

/// An open sled database, and what makes its writes durable.
///
/// On Linux sled's own `flush` hands the pages to the disk, but neither waits for the disk's cache
/// nor for the length of the file, so after it `fdatasync` is called on a second handle.
pub(crate) struct Disk {
    db: sled::Db,
    file: File,
    path: PathBuf,
    blobs: Blobs,
    failure: Arc<Failure>,
    // Dropped last: it unlocks the folder.
    mark: Mark,
}

impl Disk {
    /// Takes over a database that was just opened from this folder.
    pub(crate) fn new(
        db: sled::Db,
        folder: &Path,
        mark: Mark,
        failure: Arc<Failure>,
    ) -> Result<Self> {
        let path = folder.join("db");
        let failed = |error| from_io(error, &path, Effect::None);
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        sync_folder(folder).map_err(failed)?;
        let blobs = Blobs::new(folder.join("blobs"));
        Ok(Self {
            db,
            file,
            path,
            blobs,
            failure,
            mark,
        })
    }

    /// `Unavailable` if one of sled's threads has failed to write; sled then writes no more.
    pub(crate) fn check(&self) -> Result<()> {
        self.failure.check()?;
        let failed = self.db.context.global_error();
        failed
            .map_err(|error| from_sled(error, Effect::None))
            .inspect_err(|error| self.failure.set(error))
    }

    /// Closes the store to all further calls: sled failed, and its memory may differ from its files.
    pub(crate) fn fail(&self, error: &Error) {
        self.failure.set(error);
    }

    /// Returns once all that was written before is on the disk.
    ///
    /// An error closes the store: the system may take a write for done that it could not do, so
    /// trying again proves nothing.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.check()?;
        self.try_flush()
            .inspect_err(|error| self.failure.set(error))
    }

    fn try_flush(&mut self) -> Result<()> {
        self.db
            .flush()
            .map_err(|error| from_sled(error, Effect::Unknown))?;
        let stable = stable(&self.db);
        self.blobs
            .sync()
            .map_err(|error| from_io(error, &self.blobs.folder, Effect::Unknown))?;
        self.file
            .sync_data()
            .map_err(|error| from_io(error, &self.path, Effect::Unknown))?;
        self.mark.advance(stable)
    }
}

/// The last place in sled's log that was written to its file.
///
/// sled hides this from its docs, but has no other way to ask.
pub(crate) fn stable(db: &sled::Db) -> i64 {
    db.context.pagecache.log.stable_offset()
}

/// The files into which sled puts pages of more than 1 MiB, and which it never syncs.
struct Blobs {
    folder: PathBuf,
    synced: BTreeSet<i64>,
    changed: Option<SystemTime>,
    noticed: Instant,
    settled: bool,
}

impl Blobs {
    /// How long after a change a further one may leave the folder's time of change as it is.
    const TICK: Duration = Duration::from_millis(50);

    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            synced: BTreeSet::new(),
            changed: None,
            noticed: Instant::now(),
            settled: false,
        }
    }

    /// Syncs the files that are new. Costs one `stat` as long as the folder does not change.
    fn sync(&mut self) -> io::Result<()> {
        let changed = fs::metadata(&self.folder)?.modified()?;
        if self.changed != Some(changed) {
            self.changed = Some(changed);
            self.noticed = Instant::now();
            self.settled = false;
        }
        if self.settled {
            return Ok(());
        }
        self.settled = self.noticed.elapsed() > Self::TICK;
        self.sync_new()
    }

    fn sync_new(&mut self) -> io::Result<()> {
        let mut present = BTreeSet::new();
        let mut any = false;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            present.insert(id);
            if !self.synced.contains(&id) {
                any |= sync_if_present(&entry.path())?;
            }
        }
        self.synced = present;
        if any {
            sync_folder(&self.folder)
        } else {
            Ok(())
        }
    }
}

/// sled may remove a file at any moment.
fn sync_if_present(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(file) => file.sync_all().map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
