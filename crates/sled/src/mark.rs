//! The mark: a small file of our own beside sled's, which says how far the log was acknowledged,
//! and which is locked as long as the store is open.
//!
//! sled repairs a damaged log when it opens it, by leaving out what it cannot read. The mark is
//! what tells a torn end, which a killed process leaves and which is nobody's loss, from damage.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tokenkeep_core::{Error, ErrorKind, Result};

use crate::error::{Effect, from_io};

pub(crate) const NAME: &str = "tokenkeep.mark";
const MAGIC: [u8; 8] = *b"tkmark\x00\x01";
/// Magic, number of the write, place in the log, checksum.
const SLOT_LEN: usize = 8 + 8 + 8 + 4;
/// Two slots, each in a sector of its own, written in turn: a write that a power cut tears leaves
/// the one before.
const SLOT_PLACES: [u64; 2] = [0, 4096];
const FILE_LEN: u64 = 8192;

/// The open mark of a store; the store is locked while it lives.
#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    path: PathBuf,
    writes: u64,
    /// The last place in sled's log that is surely on the disk; none before the first write.
    acknowledged: Option<i64>,
}

impl Mark {
    /// Opens and locks the mark of a folder, and makes it if the folder holds no store yet.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let has_data = folder.join("db").metadata().is_ok_and(|db| db.len() > 0);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(!has_data)
            .truncate(false)
            .open(&path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound if has_data => Error::corrupt(
                    format!("file {NAME}"),
                    "is missing: this is no token store, or a damaged one",
                ),
                _ => from_io(error, &path, Effect::None),
            })?;
        lock(&file, folder)?;
        let mut mark = Self {
            file,
            path,
            writes: 0,
            acknowledged: None,
        };
        mark.load(has_data)
            .map_err(|error| mark.failed(error, Effect::None))??;
        Ok(mark)
    }

    /// The last place in sled's log that is surely on the disk; none before the first write.
    pub(crate) const fn acknowledged(&self) -> Option<i64> {
        self.acknowledged
    }

    /// Notes that the log is on the disk up to a place.
    ///
    /// The note itself need not be: an older one is still true.
    pub(crate) fn advance(&mut self, place: i64) -> Result<()> {
        if self.acknowledged.is_some_and(|known| known >= place) {
            return Ok(());
        }
        let slot = slot(self.writes + 1, place);
        write_at(&self.file, SLOT_PLACES[turn(self.writes + 1)], &slot)
            .map_err(|error| self.failed(error, Effect::Unknown))?;
        self.writes += 1;
        self.acknowledged = Some(place);
        Ok(())
    }

    fn load(&mut self, has_data: bool) -> io::Result<Result<()>> {
        // A power cut may leave a new file its length and none of its bytes.
        if !has_data && self.is_blank()? {
            return self.make().map(Ok);
        }
        let mut found = None;
        for place in SLOT_PLACES {
            let mut bytes = [0; SLOT_LEN];
            match read_at(&self.file, place, &mut bytes) {
                Ok(()) => found = found.max(parse_slot(&bytes)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
        }
        let Some((writes, place)) = found else {
            let problem = "holds no legible mark";
            return Ok(Err(Error::corrupt(format!("file {NAME}"), problem)));
        };
        self.writes = writes;
        self.acknowledged = (place >= 0).then_some(place);
        Ok(Ok(()))
    }

    fn is_blank(&self) -> io::Result<bool> {
        let mut bytes = Vec::new();
        (&self.file).take(FILE_LEN).read_to_end(&mut bytes)?;
        Ok(bytes.iter().all(|byte| *byte == 0))
    }

    /// Written in one piece, and on the disk before sled writes anything, so that a folder with
    /// data always has a mark.
    fn make(&mut self) -> io::Result<()> {
        let mut bytes = slot(0, -1).to_vec();
        bytes.resize(FILE_LEN as usize, 0);
        write_at(&self.file, 0, &bytes)?;
        self.file.sync_all()?;
        self.path.parent().map_or(Ok(()), sync_folder)
    }

    fn failed(&self, error: io::Error, effect: Effect) -> Error {
        from_io(error, &self.path, effect)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // sled's threads may hold its file for a moment longer than its handles do; the folder is
        // given free when the next one can really open it.
        if let Some(folder) = self.path.parent() {
            wait_until_free(&folder.join("db"));
        }
        // Closing is not enough where a child process was just forked with a copy of the handle.
        let _ = self.file.unlock();
    }
}

/// Waits, for a second at most, until nobody has a file locked.
fn wait_until_free(path: &Path) {
    let given_up = Instant::now() + Duration::from_secs(1);
    while let Ok(file) = File::open(path)
        && Instant::now() < given_up
    {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_micros(200)),
            // As for the mark: closing is not enough.
            Ok(()) => return drop(file.unlock()),
            Err(TryLockError::Error(_)) => return,
        }
    }
}

/// How long an opening waits for another user of the folder to be done: long enough for a command
/// that is at work, or for a store that is just being closed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// Locks a file of the store; `Unavailable` if another process has, and keeps it.
pub(crate) fn lock(file: &File, folder: &Path) -> Result<()> {
    let given_up = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < given_up => thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => return Err(in_use(folder)),
            Err(TryLockError::Error(error)) => return Err(from_io(error, folder, Effect::None)),
        }
    }
}

/// The error for a folder that is open already.
pub(crate) fn in_use(folder: &Path) -> Error {
    let message = format!(
        "the store {} is in use: one process at a time can open it, and once",
        folder.display()
    );
    Error::new(ErrorKind::Unavailable, message)
}

/// Puts the names in a folder on the disk, where the system has a way to.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn write_at(mut file: &File, place: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(place))?;
    file.write_all(bytes)
}

fn read_at(mut file: &File, place: u64, bytes: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(bytes)
}

const fn turn(writes: u64) -> usize {
    (writes % 2) as usize
}

fn slot(writes: u64, place: i64) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    slot[..8].copy_from_slice(&MAGIC);
    slot[8..16].copy_from_slice(&writes.to_be_bytes());
    slot[16..24].copy_from_slice(&place.to_be_bytes());
    let sum = crc32fast::hash(&slot[..24]);
    slot[24..].copy_from_slice(&sum.to_be_bytes());
    slot
}

fn parse_slot(slot: &[u8; SLOT_LEN]) -> Option<(u64, i64)> {
    let (fields, sum) = slot.split_last_chunk::<4>()?;
    if fields[..8] != MAGIC || crc32fast::hash(fields) != u32::from_be_bytes(*sum) {
        return None;
    }
    let writes = u64::from_be_bytes(fields[8..16].try_into().ok()?);
    let place = i64::from_be_bytes(fields[16..24].try_into().ok()?);
    Some((writes, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_kept_and_never_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut mark = Mark::open(folder.path()).unwrap();
        assert_eq!(mark.acknowledged(), None);
        for place in [5, 7, 6] {
            mark.advance(place).unwrap();
        }
        drop(mark);
        assert_eq!(Mark::open(folder.path()).unwrap().acknowledged(), Some(7));
    }

    #[test]
    fn a_torn_write_leaves_the_mark_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut mark = Mark::open(folder.path()).unwrap();
        mark.advance(5).unwrap();
        mark.advance(7).unwrap();
        write_at(&mark.file, SLOT_PLACES[0] + 20, b"torn").unwrap();
        drop(mark);
        assert_eq!(Mark::open(folder.path()).unwrap().acknowledged(), Some(5));
    }

    #[test]
    fn a_second_opening_is_refused_until_the_first_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::open(folder.path()).unwrap();
        let error = Mark::open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("in use"), "{error}");
        drop(mark);
        assert!(Mark::open(folder.path()).is_ok());
    }

    #[test]
    fn data_without_a_legible_mark_are_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("db"), "data").unwrap();
        for mark in [None, Some("")] {
            if let Some(mark) = mark {
                std::fs::write(folder.path().join(NAME), mark).unwrap();
            }
            let error = Mark::open(folder.path()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        }
        std::fs::remove_file(folder.path().join("db")).unwrap();
        std::fs::write(folder.path().join(NAME), "garbage".repeat(2000)).unwrap();
        assert_eq!(
            Mark::open(folder.path()).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
}
