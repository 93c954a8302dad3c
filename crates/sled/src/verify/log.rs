//! sled's log, the file `db`: segments of one length, each a header and messages one after the
//! other. A place in the log (*lsn*) grows for ever; a segment's place in the file is used anew.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tokenkeep_core::{Error, Result};

use super::SEGMENT;
use super::bytes::Bytes;
use crate::error::{Effect, from_io};

/// Where the first message of a segment begins.
pub(super) const FIRST: i64 = 20;
/// The longest header of a message; nearer to the end of a segment none begins.
const MESSAGE_HEADER: i64 = 32;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Canceled,
    Batch,
    Free,
    /// The whole of a page.
    Whole {
        blob: bool,
    },
    /// A change to a page.
    Part {
        blob: bool,
    },
}

/// What stands at one place of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    Message(Message<'a>),
    /// The rest of the segment is padding.
    End,
    /// No message of this segment that passes its checksum.
    Broken,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    pub(super) page: u64,
    pub(super) body: &'a [u8],
    /// Header and body together.
    pub(super) len: i64,
}

impl Message<'_> {
    /// The place in the log that the body names: the last of a batch, or a blob.
    pub(super) fn place(&self) -> Option<i64> {
        Bytes(self.body).i64()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) lsn: i64,
    /// Up to here the log was written when the segment was begun.
    pub(super) stable: i64,
    /// Where the segment stands in the file.
    pub(super) offset: u64,
}

#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    blobs: PathBuf,
    len: u64,
}

impl Drop for Log {
    fn drop(&mut self) {
        // Closing is not enough where a child process was just forked with a copy of the handle.
        let _ = self.file.unlock();
    }
}

impl Log {
    /// Takes over a file that was locked.
    pub(super) fn new(file: File, folder: &Path) -> Result<Self> {
        let path = folder.join("db");
        let len = file
            .metadata()
            .map_err(|error| from_io(error, &path, Effect::None))?
            .len();
        Ok(Self {
            file,
            path,
            blobs: folder.join("blobs"),
            len,
        })
    }

    /// The segments in use, by their place in the log.
    pub(super) fn segments(&self) -> Result<BTreeMap<i64, Segment>> {
        let mut segments = BTreeMap::new();
        let mut offset = 0;
        while offset + FIRST.unsigned_abs() <= self.len {
            let mut header = [0; FIRST as usize];
            self.read_at(offset, &mut header)?;
            // Zeros stand where sled has freed a segment or has not come to yet.
            if header != [0; FIRST as usize] {
                let segment = parse_segment(&header, offset)
                    .ok_or_else(|| self.corrupt(offset, "a segment has a damaged header"))?;
                if segments.insert(segment.lsn, segment).is_some() {
                    return Err(self.corrupt(offset, "a segment stands there twice"));
                }
            }
            offset += SEGMENT.unsigned_abs();
        }
        Ok(segments)
    }

    /// A segment's bytes; fewer at the end of the file.
    pub(super) fn read(&self, offset: u64) -> Result<Vec<u8>> {
        let left = self.len.saturating_sub(offset).min(SEGMENT.unsigned_abs());
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(0)];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn blob(&self, id: i64) -> PathBuf {
        self.blobs.join(id.to_string())
    }

    pub(super) fn corrupt(&self, offset: u64, problem: &'static str) -> Error {
        Error::corrupt(format!("file db, at {offset}"), problem)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(bytes))
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.corrupt(offset, "the file is cut short"),
                _ => from_io(error, &self.path, Effect::None),
            })
    }
}

fn parse_segment(header: &[u8; FIRST as usize], offset: u64) -> Option<Segment> {
    let mut bytes = Bytes(header);
    let sum = bytes.u32()? ^ u32::MAX;
    if crc32fast::hash(bytes.0) != sum {
        return None;
    }
    let lsn = bytes.i64()? ^ i64::MAX;
    let stable = bytes.i64()? ^ i64::MAX;
    let sound = lsn % SEGMENT == 0 && lsn >= i64::try_from(offset).ok()?;
    sound.then_some(Segment {
        lsn,
        stable,
        offset,
    })
}

/// Tells whether a message can begin at this place of the log.
pub(super) const fn can_begin(lsn: i64) -> bool {
    let place = lsn.rem_euclid(SEGMENT);
    place >= FIRST && place <= SEGMENT - MESSAGE_HEADER
}

/// Reads what stands at a place of a segment that was begun at `segment_lsn`.
pub(super) fn read_message(segment: &[u8], place: i64, segment_lsn: i64) -> Found<'_> {
    parse_message(segment, place)
        .filter(|(number, _)| i64::try_from(*number) == Ok(segment_lsn / SEGMENT))
        .map_or(Found::Broken, |(_, found)| found)
}

/// Tells whether a message of a later segment stands in this one: sled writes the parts of a
/// segment in any order, so a killed process may leave an old header over newer messages.
pub(super) fn is_overwritten(segment: &[u8], from: i64, segment_lsn: i64) -> bool {
    let newer = |(number, _): (u64, Found<'_>)| {
        i64::try_from(number).is_ok_and(|number| number > segment_lsn / SEGMENT)
    };
    (from..SEGMENT - MESSAGE_HEADER).any(|place| parse_message(segment, place).is_some_and(newer))
}

/// The message at a place that passes its checksum, and the number of the segment it is for.
fn parse_message(segment: &[u8], place: i64) -> Option<(u64, Found<'_>)> {
    let at = usize::try_from(place).ok()?;
    let mut bytes = Bytes(segment.get(at..)?);
    let sum = bytes.u32()? ^ u32::MAX;
    let letter = bytes.u8()?;
    let body_len = bytes.varint()?;
    let number = bytes.varint()?;
    let page = bytes.varint()?;
    let header_len = segment.len() - at - bytes.0.len();
    let kind = kind(letter)?;
    let body = bytes.slice(body_len)?;
    let header = &segment[at + 4..at + header_len];
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(header);
    if hasher.finalize() != sum {
        return None;
    }
    let Some(kind) = kind else {
        return Some((number, Found::End));
    };
    let len = i64::try_from(header_len + body.len()).ok()?;
    let message = Message {
        kind,
        page,
        body,
        len,
    };
    Some((number, Found::Message(message)))
}

/// The kind that a letter names; the inner `None` is the padding at the end of a segment.
const fn kind(letter: u8) -> Option<Option<Kind>> {
    Some(Some(match letter {
        1 => Kind::Canceled,
        2 => return Some(None),
        3 => Kind::Batch,
        4 => Kind::Free,
        // A counter and the list of trees are pages too.
        5 | 6 | 8 => Kind::Whole { blob: false },
        7 | 9 => Kind::Whole { blob: true },
        10 => Kind::Part { blob: false },
        11 => Kind::Part { blob: true },
        _ => return None,
    }))
}
