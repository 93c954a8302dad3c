//! The feed of revocations (R10): the shards' feeds, merged by the places of their entries.
//!
//! In a store of several shards a reader asks first for the highest place that was asked for, and gives no
//! entry beyond it. So it gives no revocation before one that had ended when this began: the later one's
//! place was asked for when the earlier one was in its shard, and the reader looks there after it has
//! learnt of that place. A cursor holds how far it came in each shard, so nothing is missed of those that
//! appear late.

use std::time::Instant;

use bytes::Bytes;
use tokenkeep_backend::{Call, ENDLESS, Effect, Outcome};
use tokenkeep_core::{Cursors, Page, PageRequest, Result, RevokedToken, StoreId, Timestamp};

use super::core::{Core, reading};
use super::places;
use super::scatter::scatter;
use crate::record::decode_revoked;
use crate::reply::{Reply, sensible};
use crate::script::REVOKED_PAGE;

/// How many entries one step looks at.
const STEP: usize = 500;

/// How many bytes of a cursor a place takes; it is below 2^53.
const PLACE_LEN: usize = 7;

/// What one step saw of a shard's feed.
pub(super) struct Stretch {
    pub(super) goes_on: bool,
    /// The last place looked at.
    pub(super) last: u64,
    pub(super) found: Vec<Entry>,
}

pub(super) struct Entry {
    pub(super) place: u64,
    pub(super) token: RevokedToken,
}

/// Gives a page of the feed.
pub(super) async fn list_revoked(
    core: &Core,
    store: StoreId,
    page: &PageRequest,
) -> Result<Page<RevokedToken>> {
    let cursors = Cursors::of_list_revoked(store);
    let position = page.cursor().map(|cursor| cursors.position_bytes(cursor));
    let position = position.transpose()?.unwrap_or_default();
    let after = read_places(&position, core.keys.len());
    let reader = Reader {
        core,
        call: core.call(),
        now: core.now(),
        limit: page.limit(),
        half_time: Instant::now() + core.timeout.min(ENDLESS) / 2,
    };
    let seen = match after.as_slice() {
        [after] => reader.of_one(*after).await,
        _ => reader.of_all(&after).await,
    };
    let seen = seen.map_err(reading)?;
    let cursor = match seen.places == after {
        true => page.cursor().cloned(),
        false => Some(cursors.at(&write_places(&seen.places))),
    };
    Ok(Page {
        items: seen.tokens,
        cursor,
        more: seen.more,
    })
}

/// The place of each shard in a cursor's position; 0 where there is none.
fn read_places(position: &[u8], shards: usize) -> Vec<u64> {
    let place = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |place, byte| place << 8 | u64::from(*byte))
    };
    let mut places: Vec<_> = position.chunks(PLACE_LEN).map(place).collect();
    places.resize(shards, 0);
    places
}

fn write_places(places: &[u64]) -> Vec<u8> {
    let bytes = places.iter().map(|place| place.to_be_bytes());
    bytes.flat_map(|[_, place @ ..]| place).collect()
}

/// A page, and how far it came in each shard.
pub(super) struct Seen {
    pub(super) tokens: Vec<RevokedToken>,
    pub(super) places: Vec<u64>,
    pub(super) more: bool,
}

struct Reader<'a> {
    core: &'a Core,
    call: Call,
    now: Timestamp,
    limit: usize,
    /// From then on the page is given back as it is.
    half_time: Instant,
}

impl Reader<'_> {
    /// The feed of a store of one shard.
    async fn of_one(&self, mut after: u64) -> Outcome<Seen> {
        let mut tokens = Vec::new();
        let mut count = self.limit.min(STEP);
        loop {
            let limit = self.limit - tokens.len();
            let stretch = self.stretch(0, after, count, limit).await?;
            // Where most entries are of tokens that are gone, a longer stretch gets past them.
            count = (2 * count).min(STEP);
            after = stretch.last;
            tokens.extend(stretch.found.into_iter().map(|entry| entry.token));
            let is_late = Instant::now() > self.half_time;
            if !stretch.goes_on || is_late || tokens.len() == self.limit {
                return Ok(Seen {
                    tokens,
                    places: vec![after],
                    more: stretch.goes_on,
                });
            }
        }
    }

    /// The feed of a store of several shards, as far as one look at each of them shows it.
    async fn of_all(&self, after: &[u64]) -> Outcome<Seen> {
        let highest = places::highest(self.core, &self.call).await?;
        let count = (2 * self.limit / after.len() + 8).min(STEP);
        let stretches = scatter(0..after.len(), |shard| {
            self.stretch(shard, after[shard], count, count)
        });
        let stretches: Vec<_> = stretches.await.into_iter().collect::<Outcome<_>>()?;
        let newest = stretches.iter().map(|stretch| stretch.last).max();
        let seen = super::merge::merge(stretches, after, highest, self.limit);
        if let Some(newest) = newest
            && seen.more
            && seen.places == after
        {
            self.admit(newest).await?;
        }
        Ok(seen)
    }

    /// Sees to it that entries beyond the highest place that was asked for can be given: those of a
    /// revocation that ended before it had told of its place, and all where that counter is lost.
    async fn admit(&self, newest: u64) -> Outcome<()> {
        if places::highest(self.core, &self.call).await? >= newest {
            return Ok(());
        }
        places::raise(self.core, &self.call, newest).await
    }

    /// What so many entries stand for, as far as they give no more tokens than the limit.
    async fn stretch(
        &self,
        shard: usize,
        after: u64,
        count: usize,
        limit: usize,
    ) -> Outcome<Stretch> {
        let (after, count, limit) = (after.to_string(), count.to_string(), limit.to_string());
        let arguments = [
            after.as_bytes(),
            b"+inf",
            count.as_bytes(),
            limit.as_bytes(),
        ];
        let (call, effect) = (&self.call, Effect::Reads);
        let reply = self
            .core
            .run(call, effect, &REVOKED_PAGE, shard, self.now, &arguments);
        let mut reply = Reply::of(reply.await?)?;
        let goes_on = reply.integer()? == 1;
        let last = reply.place()?;
        let mut found = Vec::with_capacity(reply.len() / 3);
        while reply.len() > 0 {
            let (id, place) = (reply.id()?, reply.place()?);
            let value = Bytes::from(reply.bytes()?);
            let token = sensible(decode_revoked(id, value))?;
            found.push(Entry { place, token });
        }
        Ok(Stretch {
            goes_on,
            last,
            found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_all_shards_fit_a_cursor() {
        let most = (1 << 53) - 1;
        for places in [vec![0], vec![most; 64], vec![1, most, 0]] {
            let position = write_places(&places);
            assert_eq!(position.len(), PLACE_LEN * places.len());
            assert_eq!(read_places(&position, places.len()), places);
        }
        assert_eq!(read_places(&[], 3), [0; 3]);
    }
}
