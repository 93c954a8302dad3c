//! Bulk revocation, in steps that each leave room for short calls (R16).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{Error, ErrorKind, Result, TokenFilter, TokenId};

use super::core::Core;
use super::fence::{self, Fence};
use super::filter::Selection;
use super::scatter::{all_or_error, of_a_part, scatter};
use super::{places, settled};
use crate::record::unreadable;
use crate::reply::{Reply, strange};
use crate::script::{DELETE_LATE, DELETE_PAGE, Script};

/// How many tokens one step looks at.
const STEP: usize = 100;

/// How often the indexes are walked, where the mark lapsed before.
const MAX_WALKS: usize = 3;

/// Revokes what matches (R8): in all shards, in each along the index of the filter's first anchor; then the
/// successors that rotations stored meanwhile.
pub(super) async fn delete_tokens(core: &Arc<Core>, filter: &TokenFilter) -> Result<Vec<TokenId>> {
    let selection = Selection::new(filter, filter.check()?);
    let bulk = Bulk {
        core,
        selection: &selection,
        has_revoked: AtomicBool::new(false),
    };
    let mut found = Found::default();
    for _ in 0..MAX_WALKS {
        if bulk.walk_all(&mut found).await? {
            return answer(core, found).await;
        }
    }
    let problem = "a part was done; it was interrupted for too long to know of all successors";
    Err(Error::new(ErrorKind::Indeterminate, problem))
}

async fn answer(core: &Core, found: Found) -> Result<Vec<TokenId>> {
    if let Some(id) = found.unreadable {
        return Err(unreadable(id));
    }
    let tokens = settled::tokens(core, found.revoked).await;
    tokens.map_err(|failure| of_a_part(failure, true))
}

/// A token that was revoked.
pub(super) struct Revoked {
    pub(super) id: TokenId,
    /// The token whose place it was to take, if that was not settled.
    pub(super) old: Option<TokenId>,
}

/// What steps came upon.
#[derive(Default)]
struct Found {
    revoked: Vec<Revoked>,
    /// One of the tokens that cannot be read.
    unreadable: Option<TokenId>,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.revoked.extend(other.revoked);
        self.unreadable = self.unreadable.or(other.unreadable);
    }
}

/// How the steps in one shard ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    AtOnce,
    Later,
    /// The mark had lapsed.
    Lapsed,
}

/// What one step did; nothing where the mark had lapsed.
type Step = Option<Stretch>;

struct Stretch {
    /// Whether there may be more, and the last id looked at.
    goes_on: bool,
    last: Vec<u8>,
    found: Found,
}

/// One call.
struct Bulk<'a> {
    core: &'a Arc<Core>,
    selection: &'a Selection,
    has_revoked: AtomicBool,
}

impl Bulk<'_> {
    /// Walks along the index in all shards; tells whether the mark counted throughout.
    async fn walk_all(&self, found: &mut Found) -> Result<bool> {
        let (call, now) = (self.core.call(), self.core.now());
        let shards = self.core.keys.len();
        // For the first step along each index, and for the first of those after it. Shards may give the same.
        let taken = places::take(self.core, &call, now, 2 * STEP).await;
        let first = taken.map_err(|failure| self.error(failure))?;
        let fence = Fence::new(self.core, &self.selection.index);
        let mark = fence.mark();
        let steps = scatter(0..shards, |shard| self.along(mark, shard, first));
        let ends = self.ends(fence.around(steps).await, found)?;
        if ends == [End::AtOnce] {
            fence.was_not_needed();
            return Ok(true);
        }
        if ends.contains(&End::Lapsed) {
            return Ok(false);
        }
        let later = first + STEP as u64;
        let steps = scatter(0..shards, |shard| self.late(mark, shard, later));
        let ends = self.ends(fence.around(steps).await, found)?;
        if ends.contains(&End::Lapsed) {
            return Ok(false);
        }
        let stood = fence.lift().await;
        stood.map_err(|failure| of_a_part(failure, true))
    }

    fn error(&self, failure: Failure) -> Error {
        of_a_part(failure, self.has_revoked.load(Ordering::Relaxed))
    }

    fn ends(&self, walked: Vec<Outcome<(End, Found)>>, found: &mut Found) -> Result<Vec<End>> {
        let is_touched = self.has_revoked.load(Ordering::Relaxed);
        let walked = all_or_error(walked, is_touched)?;
        let ends = walked.into_iter().map(|(end, of_shard)| {
            found.add(of_shard);
            end
        });
        Ok(ends.collect())
    }

    /// Walks along one shard's index; `least` is the first of enough places for the first step.
    async fn along(&self, mark: &[u8], shard: usize, mut least: u64) -> Outcome<(End, Found)> {
        let mut found = Found::default();
        let mut after = Vec::new();
        let mut end = End::AtOnce;
        loop {
            let step = self.step(&DELETE_PAGE, mark, shard, &after, least);
            let Some(stretch) = step.await? else {
                return Ok((End::Lapsed, found));
            };
            found.add(stretch.found);
            if !stretch.goes_on {
                return Ok((end, found));
            }
            end = End::Later;
            after = stretch.last;
            least = self.more_places().await?;
        }
    }

    /// Revokes the successors that were noted in a shard, and sees to it that there will be no more.
    async fn late(&self, mark: &[u8], shard: usize, mut least: u64) -> Outcome<(End, Found)> {
        let mut found = Found::default();
        loop {
            let step = self.step(&DELETE_LATE, mark, shard, b"", least);
            let Some(stretch) = step.await? else {
                return Ok((End::Lapsed, found));
            };
            found.add(stretch.found);
            if !stretch.goes_on {
                return Ok((End::Later, found));
            }
            least = self.more_places().await?;
        }
    }

    async fn more_places(&self) -> Outcome<u64> {
        let (call, now) = (self.core.call(), self.core.now());
        places::take(self.core, &call, now, STEP).await
    }

    async fn step(
        &self,
        script: &Script,
        mark: &[u8],
        shard: usize,
        after: &[u8],
        least: u64,
    ) -> Outcome<Step> {
        let (core, selection) = (self.core, self.selection);
        let size = STEP.to_string();
        let mut arguments = vec![selection.index.as_bytes(), after, size.as_bytes()];
        arguments.extend([mark, fence::LIFETIME]);
        arguments.extend(selection.conditions());
        arguments.push(if core.is_sharded() { b"1" } else { b"0" });
        let (call, now) = (core.call(), core.now());
        let reply = core.revoke(&call, script, shard, now, least, &arguments);
        let mut reply = Reply::of(reply.await?)?;
        let code = reply.integer()?;
        if code < 0 {
            return Ok(None);
        }
        let last = reply.bytes()?;
        let given = reply.place()?;
        let unreadable = optional_id(&reply.bytes()?)?;
        let mut revoked = Vec::with_capacity(reply.len() / 2);
        while reply.len() > 0 {
            let (id, old) = (reply.id()?, optional_id(&reply.bytes()?)?);
            revoked.push(Revoked { id, old });
        }
        self.has_revoked
            .fetch_or(!revoked.is_empty(), Ordering::Relaxed);
        places::note(core, &call, least + STEP as u64 - 1, given).await?;
        Ok(Some(Stretch {
            goes_on: code == 1,
            last,
            found: Found {
                revoked,
                unreadable,
            },
        }))
    }
}

fn optional_id(bytes: &[u8]) -> Outcome<Option<TokenId>> {
    let id = (!bytes.is_empty()).then(|| TokenId::try_from(bytes));
    id.transpose().map_err(|_| strange())
}
