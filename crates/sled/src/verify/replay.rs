//! The way from a snapshot to the end of the log, as sled goes it.

use std::collections::BTreeMap;

use tokenkeep_core::{Error, ErrorKind, Result};

use super::SEGMENT;
use super::log::{
    FIRST, Found, Kind, Log, Message, Segment, can_begin, is_overwritten, read_message,
};
use super::pages::{Pages, Pointer, verify_blob};
use super::snapshot::Snapshot;

/// Follows the log from a snapshot to its end; gives the pages as sled would have them.
///
/// `Corrupt` if a message up to the acknowledged place is illegible, or the log ends before it.
pub(super) fn replay(log: &Log, snapshot: Snapshot, acknowledged: i64) -> Result<Pages> {
    let mut segments = log.segments()?;
    let first = snapshot.stable - snapshot.stable.rem_euclid(SEGMENT);
    segments.retain(|lsn, _| *lsn >= first);
    let end = end_of_log(log, &segments, first)?;
    if end.covered < acknowledged {
        return Err(Error::corrupt(
            "file db",
            "the log ends before what was acknowledged",
        ));
    }
    let mut replay = Replay {
        log,
        acknowledged,
        stable: snapshot.stable,
        went_on: snapshot.went_on,
        last: end.last,
        pages: snapshot.pages,
    };
    for segment in segments.values() {
        if !replay.segment(segment)? {
            break;
        }
    }
    Ok(replay.pages)
}

/// Where the log ends.
struct End {
    /// The last byte of the last message, where sled stops to read.
    last: i64,
    /// As `last`, but with the padding that may follow it.
    covered: i64,
}

/// The segments that may have been written out of order all follow the highest place that some
/// segment's header names as written; the log ends at the first thing missing among them.
fn end_of_log(log: &Log, segments: &BTreeMap<i64, Segment>, first: i64) -> Result<End> {
    let stable = segments.values().map(|segment| segment.stable).max();
    let stable = stable.unwrap_or(first).max(first).max(0);
    let mut expected = stable - stable.rem_euclid(SEGMENT);
    let mut end = End {
        last: -1,
        covered: -1,
    };
    while let Some(segment) = segments.get(&expected) {
        let bytes = log.read(segment.offset)?;
        let mut lsn = segment.lsn + FIRST;
        let whole = loop {
            if !can_begin(lsn) {
                break true;
            }
            match read_message(&bytes, lsn - segment.lsn, segment.lsn) {
                Found::Message(message) if blob_is_legible(log, &message)? => lsn += message.len,
                Found::End => break true,
                Found::Message(_) | Found::Broken => break false,
            }
        };
        end.last = lsn - 1;
        end.covered = lsn - 1;
        if !whole {
            break;
        }
        end.covered = segment.lsn + SEGMENT - 1;
        expected += SEGMENT;
    }
    Ok(end)
}

/// A blob that is gone belongs to a page that was written anew since; sled goes on.
fn blob_is_legible(log: &Log, message: &Message<'_>) -> Result<bool> {
    let (Kind::Whole { blob: true } | Kind::Part { blob: true }) = message.kind else {
        return Ok(true);
    };
    let Some(id) = message.place() else {
        return Ok(false);
    };
    if !log.blob(id).exists() {
        return Ok(true);
    }
    match verify_blob(log, id) {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
        Ok(()) => Ok(true),
    }
}

struct Replay<'a> {
    log: &'a Log,
    acknowledged: i64,
    stable: i64,
    went_on: bool,
    last: i64,
    pages: Pages,
}

impl Replay<'_> {
    /// Follows one segment; false at the end of the log.
    fn segment(&mut self, segment: &Segment) -> Result<bool> {
        let bytes = self.log.read(segment.offset)?;
        let mut lsn = segment.lsn + FIRST;
        while can_begin(lsn) {
            if lsn > self.last {
                return Ok(false);
            }
            match read_message(&bytes, lsn - segment.lsn, segment.lsn) {
                Found::Message(message) => {
                    if message.kind == Kind::Batch
                        && message.place().is_none_or(|end| end > self.last)
                    {
                        // A batch that was not written to its end: none of it counts.
                        return self.must_not_be_acknowledged(lsn, segment).map(|()| false);
                    }
                    if lsn >= self.stable {
                        if !blob_is_legible(self.log, &message)? {
                            return self.must_not_be_acknowledged(lsn, segment).map(|()| false);
                        }
                        self.apply(lsn, segment, &message);
                    }
                    lsn += message.len;
                }
                Found::End => return Ok(true),
                Found::Broken => {
                    let torn_before = !self.went_on && lsn >= self.stable;
                    let torn_before =
                        torn_before && segment.lsn == self.stable - self.stable.rem_euclid(SEGMENT);
                    if !torn_before && !is_overwritten(&bytes, lsn - segment.lsn, segment.lsn) {
                        self.must_not_be_acknowledged(lsn, segment)?;
                    }
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    fn must_not_be_acknowledged(&self, lsn: i64, segment: &Segment) -> Result<()> {
        if lsn > self.acknowledged {
            return Ok(());
        }
        let offset = segment.offset + (lsn - segment.lsn).unsigned_abs();
        Err(self
            .log
            .corrupt(offset, "an acknowledged write is illegible"))
    }

    fn apply(&mut self, lsn: i64, segment: &Segment, message: &Message<'_>) {
        let offset = segment.offset + (lsn - segment.lsn).unsigned_abs();
        let pointer = |blob: bool| {
            let blob = blob.then(|| message.place()).flatten();
            Pointer::new(lsn, offset, blob)
        };
        match message.kind {
            Kind::Canceled | Kind::Batch => {}
            Kind::Free => self.pages.free(message.page),
            Kind::Whole { blob } => self.pages.whole(message.page, pointer(blob)),
            Kind::Part { blob } => self.pages.part(message.page, pointer(blob)),
        }
    }
}
