//! The listing of active tokens, in order of the shards and in each of the ids (R9).

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use tokenkeep_backend::{Call, Effect, Outcome};
use tokenkeep_core::{
    Cursors, Page, PageRequest, Result, StoreId, Timestamp, TokenFilter, TokenId, TokenRecord,
};

use super::core::{Core, reading};
use super::filter::Selection;
use super::scatter::scatter;
use crate::record::decode;
use crate::reply::{Reply, sensible, strange};
use crate::script::LIST_PAGE;

/// The longest page of whole records: with data at the limit some 64 MB.
const MAX_RECORDS: usize = 1_000;
/// How many ids one step looks at, and so how many tokens it gives at most.
const STEP: usize = 256;
/// After how many bytes of tokens a step ends.
const STEP_BYTES: &[u8] = b"262144";

/// Where a page begins or ends: after this id of this shard, or at the shard's beginning.
#[derive(Clone, Copy)]
struct Position {
    shard: usize,
    after: Option<TokenId>,
}

impl Position {
    const LEN: usize = 1 + TokenId::LEN;

    fn read(bytes: [u8; Self::LEN]) -> Self {
        let [shard, id @ ..] = bytes;
        Self {
            shard: usize::from(shard),
            after: Some(TokenId::from_bytes(id)),
        }
    }
}

/// What one step saw of a shard's index.
struct Stretch {
    shard: usize,
    goes_on: bool,
    /// The last id looked at.
    last: Option<TokenId>,
    found: VecDeque<TokenRecord>,
}

/// Gives a page of what matches.
pub(super) async fn list(
    core: &Core,
    store: StoreId,
    filter: &TokenFilter,
    page: &PageRequest,
) -> Result<Page<TokenRecord>> {
    let cursors = Cursors::of_list(store, filter);
    let position = page.cursor().map(|cursor| cursors.position(cursor));
    let begin = position.transpose()?.map(Position::read);
    let selection = Selection::new(filter, filter.check()?);
    let mut listing = Listing {
        core,
        call: core.call(),
        half_time: Instant::now() + core.timeout.min(tokenkeep_backend::ENDLESS) / 2,
        selection: &selection,
        now: core.now(),
        limit: page.limit().min(MAX_RECORDS),
        items: Vec::new(),
        end: None,
    };
    let more = listing.fill(begin).await.map_err(reading)?;
    let cursor = match listing.end {
        Some((shard, id)) => Some(cursors.at(&[&[shard], id.as_bytes().as_slice()].concat())),
        None => page.cursor().cloned(),
    };
    Ok(Page {
        items: listing.items,
        cursor,
        more,
    })
}

/// A page that is being filled.
struct Listing<'a> {
    core: &'a Core,
    call: Call,
    /// From then on it is given back as it is.
    half_time: Instant,
    selection: &'a Selection,
    now: Timestamp,
    limit: usize,
    items: Vec<TokenRecord>,
    /// How far it has come.
    end: Option<(u8, TokenId)>,
}

impl Listing<'_> {
    /// Tells whether more may wait.
    async fn fill(&mut self, begin: Option<Position>) -> Outcome<bool> {
        let begin = begin.unwrap_or(Position {
            shard: 0,
            after: None,
        });
        for mut stretch in self.first_stretches(begin).await? {
            loop {
                let shard = u8::try_from(stretch.shard).map_err(|_| strange())?;
                while let Some(record) = stretch.found.pop_front() {
                    if self.items.len() == self.limit {
                        return Ok(true);
                    }
                    self.end = Some((shard, record.id));
                    self.items.push(record);
                }
                if !stretch.goes_on {
                    break;
                }
                self.end = stretch.last.map(|last| (shard, last)).or(self.end);
                if self.items.len() == self.limit || Instant::now() > self.half_time {
                    return Ok(true);
                }
                let most = self.limit - self.items.len();
                let after = Position {
                    shard: stretch.shard,
                    after: stretch.last,
                };
                stretch = self.stretch(after, most).await?;
            }
        }
        Ok(false)
    }

    /// One stretch of each shard, from this position on.
    async fn first_stretches(&self, begin: Position) -> Outcome<Vec<Stretch>> {
        let shards = begin.shard..self.core.keys.len();
        // Ids are digests, so tokens mostly lie evenly; what one shard has more is asked for later.
        let most = match shards.len() {
            0 | 1 => self.limit,
            count => 2 * self.limit / count + 1,
        };
        let stretches = scatter(shards, |shard| {
            let after = begin.after.filter(|_| shard == begin.shard);
            self.stretch(Position { shard, after }, most)
        });
        stretches.await.into_iter().collect()
    }

    async fn stretch(&self, from: Position, most: usize) -> Outcome<Stretch> {
        let after = from.after.as_ref().map_or(&b""[..], |id| id.as_bytes());
        let (step, most) = (STEP.to_string(), most.to_string());
        let mut arguments = vec![self.selection.index.as_bytes(), after];
        arguments.extend([step.as_bytes(), most.as_bytes(), STEP_BYTES]);
        arguments.extend(self.selection.conditions());
        let (shard, effect) = (from.shard, Effect::Reads);
        let reply = self
            .core
            .run(&self.call, effect, &LIST_PAGE, shard, self.now, &arguments);
        let mut reply = Reply::of(reply.await?)?;
        let goes_on = reply.integer()? == 1;
        let last = reply.bytes()?;
        let last = (!last.is_empty()).then(|| TokenId::try_from(last.as_slice()));
        let mut found = VecDeque::with_capacity(reply.len() / 2);
        while reply.len() > 0 {
            let (id, value) = (reply.id()?, Bytes::from(reply.bytes()?));
            found.push_back(sensible(decode(id, value))?);
        }
        Ok(Stretch {
            shard,
            goes_on,
            last: last.transpose().map_err(|_| strange())?,
            found,
        })
    }
}
