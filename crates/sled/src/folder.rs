//! Opening a store's folder.

use std::fs::{self, DirBuilder};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tokenkeep_core::{Error, ErrorKind, Result};

use crate::disk::{Disk, stable};
use crate::error::{Effect, from_io, from_sled};
use crate::failure::Failure;
use crate::mark::{LOOK, Mark, NAME, PATIENCE, in_use, sync_folder};
use crate::options::SledOptions;
use crate::verify::{SEGMENT, unfinished_snapshots, verify};

/// Opens a folder, after having read it whole; a damaged one is left as it was.
pub(crate) fn open(options: &SledOptions, failure: &Arc<Failure>) -> Result<(sled::Db, Disk)> {
    let folder = options.path();
    let failed = |error| from_io(error, folder, Effect::None);
    if options.create {
        make(folder).map_err(failed)?;
    } else if [NAME, "db"].iter().all(|name| !folder.join(name).exists()) {
        let message = format!("there is no store at {}", folder.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let mark = Mark::open(folder)?;
    let acknowledged = mark.acknowledged();
    verify(folder, acknowledged)?;
    for path in unfinished_snapshots(folder).map_err(failed)? {
        fs::remove_file(path).map_err(failed)?;
    }
    let db = open_sled(options)?;
    if acknowledged.is_some_and(|place| stable(&db) < place) {
        return Err(Error::corrupt(
            "file db",
            "sled recovers less than was acknowledged",
        ));
    }
    let disk = Disk::new(db.clone(), folder, mark, Arc::clone(failure))?;
    Ok((db, disk))
}

fn open_sled(options: &SledOptions) -> Result<sled::Db> {
    let config = sled::Config::new()
        .path(options.path())
        .cache_capacity(options.cache_capacity)
        .segment_size(SEGMENT as usize)
        // The writer flushes; sled's own flusher would sync the disk twice a second for ever.
        .flush_every_ms(None);
    let given_up = Instant::now() + PATIENCE;
    loop {
        // sled asserts what it expects of its files.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open())).map_err(|_| {
            Error::corrupt("the store's folder", "sled cannot make sense of its files")
        })?;
        match opened {
            // A child process that was just forked may hold a copy of the lock for a moment.
            Err(error) if is_locked(&error) && Instant::now() < given_up => thread::sleep(LOOK),
            Err(error) if is_locked(&error) => return Err(in_use(options.path())),
            opened => return opened.map_err(|error| from_sled(error, Effect::None)),
        }
    }
}

/// Makes a folder that nobody else can look into, and gets its name onto the disk.
fn make(folder: &Path) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing = folder.ancestors().take_while(is_missing).count();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for parent in folder.ancestors().skip(1).take(missing) {
        let is_here = parent.as_os_str().is_empty();
        sync_folder(if is_here { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// sled has no kind of its own for this.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(cause) if cause.to_string().starts_with("could not acquire lock"))
}

/// The length of the file that holds most of a store.
pub(crate) fn size(folder: &Path) -> Result<u64> {
    let path = folder.join("db");
    fs::metadata(&path)
        .map(|db| db.len())
        .map_err(|error| from_io(error, &path, Effect::None))
}
