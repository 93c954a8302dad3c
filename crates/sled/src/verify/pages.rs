//! Where the present content of each page stands in the log.

use std::collections::BTreeMap;

use tokenkeep_core::{Error, Result};

use super::bytes::Bytes;
use super::log::{Found, Log, read_message};
use super::{SEGMENT, read, shown};

/// One message that a page is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pointer {
    lsn: i64,
    offset: u64,
    blob: Option<i64>,
}

impl Pointer {
    pub(super) const fn new(lsn: i64, offset: u64, blob: Option<i64>) -> Self {
        Self { lsn, offset, blob }
    }
}

#[derive(Debug, Default)]
enum Page {
    #[default]
    Unknown,
    /// The whole page, then changes to it.
    Present(Vec<Pointer>),
    Free,
}

#[derive(Debug, Default)]
pub(super) struct Pages(BTreeMap<u64, Page>);

impl Pages {
    pub(super) fn whole(&mut self, page: u64, pointer: Pointer) {
        self.0.insert(page, Page::Present(vec![pointer]));
    }

    /// A change to a page whose whole is not there belongs to a page that was moved since.
    pub(super) fn part(&mut self, page: u64, pointer: Pointer) {
        if let Some(Page::Present(parts)) = self.0.get_mut(&page)
            && parts.last().is_some_and(|last| last.lsn < pointer.lsn)
        {
            parts.push(pointer);
        }
    }

    pub(super) fn free(&mut self, page: u64) {
        self.0.insert(page, Page::Free);
    }

    /// Reads every message that a page is made of.
    pub(super) fn verify(&self, log: &Log) -> Result<()> {
        let mut inline: BTreeMap<u64, Vec<(u64, Pointer)>> = BTreeMap::new();
        let count = self.0.keys().next_back().map_or(0, |last| last + 1);
        for page in 0..count {
            let Some(Page::Present(parts)) = self.0.get(&page) else {
                if let Some(Page::Free) = self.0.get(&page) {
                    continue;
                }
                return Err(Error::corrupt("file db", format!("page {page} is missing")));
            };
            for part in parts {
                match part.blob {
                    Some(id) => verify_blob(log, id)?,
                    None => {
                        let segment = part.offset - part.offset % SEGMENT.unsigned_abs();
                        inline.entry(segment).or_default().push((page, *part));
                    }
                }
            }
        }
        inline
            .into_iter()
            .try_for_each(|(offset, parts)| verify_segment(log, offset, &parts))
    }
}

fn verify_segment(log: &Log, offset: u64, parts: &[(u64, Pointer)]) -> Result<()> {
    let segment = log.read(offset)?;
    for (page, part) in parts {
        let place = i64::try_from(part.offset - offset).unwrap_or(SEGMENT);
        let segment_lsn = part.lsn - part.lsn.rem_euclid(SEGMENT);
        match read_message(&segment, place, segment_lsn) {
            Found::Message(message) if message.page == *page => {}
            _ => return Err(log.corrupt(part.offset, "a page is illegible")),
        }
    }
    Ok(())
}

/// Reads a page that stands in a file of its own.
pub(super) fn verify_blob(log: &Log, id: i64) -> Result<()> {
    let path = log.blob(id);
    let blob = read(&path)?;
    let mut bytes = Bytes(&blob);
    let sum = bytes.u32();
    if sum != Some(crc32fast::hash(bytes.0)) || bytes.is_empty() {
        return Err(Error::corrupt(shown(&path), "fails its checksum"));
    }
    Ok(())
}
