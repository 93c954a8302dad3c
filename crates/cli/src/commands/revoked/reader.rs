//! Reads the feed to its present end and writes what is new.

use std::io;
use std::time::Instant;

use tokenkeep::{Cursor, PageRequest, Result as TokenResult, RevokedToken, TokenDriver};

use super::feed::Feed;
use crate::exit::Failure;
use crate::output::{Listing, Output, RevokedLine, WithCursor};

/// Where a listing of the feed stands, and how many lines it may still have.
pub(super) struct Reader {
    feed: Feed,
    listing: Listing,
    left: u64,
}

impl Reader {
    pub(super) fn new(feed: Feed, limit: Option<u64>) -> Self {
        Self {
            feed,
            listing: Listing::new(&["REVOKED AT", "EXPIRES AT", "AUDIT ID", "USER"]),
            left: limit.unwrap_or(u64::MAX),
        }
    }

    /// Begins with this feed, before anything was read.
    pub(super) fn start(&mut self, feed: Feed) {
        self.feed = feed;
    }

    /// Tells whether as many lines were written as may be.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Where a later listing may go on.
    pub(super) fn resume(&self) -> Option<&Cursor> {
        self.feed.resume()
    }

    /// Writes what is new, up to the present end of the feed or the limit.
    pub(super) async fn read_to_end(
        &mut self,
        driver: &dyn TokenDriver,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let now = Instant::now();
        let mut after = self.feed.begin(now);
        while !self.is_done() {
            let page = driver.list_revoked(&self.request()?.after(after)).await?;
            let new = self.feed.take(page.items, page.cursor.as_ref(), now);
            self.left = self.left.saturating_sub(new.len() as u64);
            self.write(&new, output)?;
            if !page.more {
                self.feed.end(now);
                break;
            }
            after = page.cursor;
        }
        Ok(())
    }

    /// A page of the usual length, or of what may still be written.
    fn request(&self) -> TokenResult<PageRequest> {
        let usual = PageRequest::default();
        let limit = self.left.min(usual.limit() as u64);
        PageRequest::new(u32::try_from(limit).unwrap_or(u32::MAX))
    }

    fn write(&mut self, items: &[RevokedToken], output: &mut Output) -> io::Result<()> {
        let lines = items.iter().map(RevokedLine::from);
        if output.is_json() {
            let last = items.len().saturating_sub(1);
            for (index, line) in lines.enumerate() {
                let cursor = self.feed.resume().filter(|_| index == last);
                output.json(&WithCursor::new(line, cursor))?;
            }
        } else {
            let rows = lines.map(|line| {
                let (audit_id, user) = (line.audit_id.to_owned(), line.user_id.to_owned());
                [line.revoked_at, line.expires_at, audit_id, user]
            });
            self.listing.write(rows, output)?;
        }
        output.flush()
    }
}
