//! sled's `snap.*`: where the pages of the database stood in the log when it was last opened.

use std::path::{Path, PathBuf};

use tokenkeep_core::{Error, Result};

use super::bytes::Bytes;
use super::pages::{Pages, Pointer};
use super::{read, shown};
use crate::error::{Effect, from_io};

/// Where recovery begins.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// All messages before this place of the log are in `pages`.
    pub(super) stable: i64,
    /// Whether the log went on in the segment of `stable`.
    pub(super) went_on: bool,
    pub(super) pages: Pages,
}

/// Tells whether sled was killed while it wrote this file.
pub(super) fn is_unfinished(path: &Path) -> bool {
    name(path).is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating"))
}

/// The newest snapshot; none before a store is opened for the second time.
pub(super) fn newest(folder: &Path) -> Result<Option<Snapshot>> {
    let failed = |error| from_io(error, folder, Effect::None);
    let mut newest: Option<PathBuf> = None;
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_snapshot = name(&path).is_some_and(|name| name.starts_with("snap."));
        if is_snapshot && !is_unfinished(&path) {
            newest = newest.max(Some(path));
        }
    }
    newest.map(|path| load(&path)).transpose()
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn load(path: &Path) -> Result<Snapshot> {
    let bytes = read(path)?;
    let corrupt = |problem| Error::corrupt(shown(path), problem);
    let (rest, sum) = bytes
        .split_last_chunk::<4>()
        .ok_or_else(|| corrupt("is cut short"))?;
    let (body, _len) = rest
        .split_last_chunk::<8>()
        .ok_or_else(|| corrupt("is cut short"))?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(corrupt("fails its checksum"));
    }
    parse(Bytes(body)).ok_or_else(|| corrupt("makes no sense"))
}

fn parse(mut bytes: Bytes<'_>) -> Option<Snapshot> {
    // Each is stored one higher, zero meaning none.
    let stable = bytes.i64()?.checked_sub(1).filter(|lsn| *lsn >= 0)?;
    let went_on = bytes.varint()? != 0;
    let mut pages = Pages::default();
    let mut page = 0;
    while !bytes.is_empty() {
        match bytes.u8()? {
            0 => {
                let (_lsn, _place) = (bytes.i64()?, pointer(&mut bytes)?);
                pages.free(page);
            }
            count => {
                for index in 0..count {
                    let (lsn, (offset, blob)) = (bytes.i64()?, pointer(&mut bytes)?);
                    let _size = bytes.varint()?;
                    let part = Pointer::new(lsn, offset, blob);
                    if index == 0 {
                        pages.whole(page, part);
                    } else {
                        pages.part(page, part);
                    }
                }
            }
        }
        page += 1;
    }
    Some(Snapshot {
        stable,
        went_on,
        pages,
    })
}

/// An offset in the file, and a blob's number if the message names one.
fn pointer(bytes: &mut Bytes<'_>) -> Option<(u64, Option<i64>)> {
    match bytes.u8()? {
        0 => Some((bytes.varint()?, None)),
        1 => Some((bytes.varint()?, Some(bytes.i64()?))),
        _ => None,
    }
}
