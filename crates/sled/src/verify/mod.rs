//! Reading a closed store before sled opens it, to tell damage from the torn end that a killed
//! process leaves.
//!
//! sled takes what it cannot read for such a torn end: it leaves it out, and overwrites it. So a
//! damaged store would be opened with a part of its tokens gone, revocations among them. Here the
//! folder is read, and only read, as sled 0.34 would recover it, with one thing known that sled
//! does not know: the place in the log up to which every write was acknowledged.

mod bytes;
mod conf;
mod log;
mod pages;
mod replay;
mod snapshot;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tokenkeep_core::{Error, Result};

use crate::error::{Effect, from_io};
use crate::mark::lock;
use log::Log;

/// The length of a segment of sled's log.
///
/// Eight times what sled takes by itself. A page of more than a quarter of it goes to a file of its
/// own, a *blob*, of which sled forgets to remove some; this way no page does with data of up to
/// 64 KiB a token.
pub(crate) const SEGMENT: i64 = 4 * 1024 * 1024;

/// Answers `Corrupt` if a part of what was acknowledged is missing or illegible.
///
/// Changes nothing. `acknowledged` is the place in the log that the mark names; without one, nothing
/// was ever acknowledged and nothing can be missing.
pub(crate) fn verify(folder: &Path, acknowledged: Option<i64>) -> Result<()> {
    let Some(acknowledged) = acknowledged else {
        return Ok(());
    };
    conf::verify(folder)?;
    let snapshot = snapshot::newest(folder)?.unwrap_or_default();
    let db = open(&folder.join("db"))?;
    // A program that uses sled alone knows nothing of the mark.
    lock(&db, folder)?;
    let log = Log::new(db, folder)?;
    let pages = replay::replay(&log, snapshot, acknowledged)?;
    pages.verify(&log)
}

/// The files of snapshots that sled was writing when it was killed. It would take one for a
/// finished snapshot and call the store damaged.
pub(crate) fn unfinished_snapshots(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if snapshot::is_unfinished(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::corrupt(shown(path), "is missing"),
        _ => from_io(error, path, Effect::None),
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open(path)?, &mut bytes)
        .map_err(|error| from_io(error, path, Effect::None))?;
    Ok(bytes)
}

/// The end of a path: what errors name.
fn shown(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).display();
    match path.parent() {
        Some(parent) if parent.ends_with("blobs") => format!("file blobs/{name}"),
        _ => format!("file {name}"),
    }
}
