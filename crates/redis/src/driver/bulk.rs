//! Bulk revocation, in steps that each leave room for short calls (R16).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokenkeep_backend::Outcome;
use tokenkeep_core::{Result, TokenFilter, TokenId};

use super::core::Core;
use super::fence::{self, Fence};
use super::filter::Selection;
use super::scatter::{all_or_error, of_a_part, scatter};
use super::{places, settled};
use crate::reply::{Reply, strange};
use crate::script::{DELETE_LATE, DELETE_PAGE, Script};

/// How many tokens one step looks at.
const STEP: usize = 100;

/// Revokes what matches (R8): in all shards, in each along the index of the filter's first anchor; then the
/// successors that rotations stored meanwhile.
pub(super) async fn delete_tokens(core: &Arc<Core>, filter: &TokenFilter) -> Result<Vec<TokenId>> {
    let selection = Selection::new(filter, filter.check()?);
    let fence = Fence::new(core, &selection.index);
    let shards = core.keys.len();
    let (call, now) = (core.call(), core.now());
    // For the first step along each index, and for the first of those after it.
    let taken = places::take(core, &call, now, 2 * STEP * shards).await;
    let least = taken.map_err(|failure| of_a_part(failure, false))?;
    let bulk = Bulk {
        core,
        selection: &selection,
        mark: fence.mark(),
        has_revoked: AtomicBool::new(false),
    };
    let first = |shard: usize| least + (STEP * shard) as u64;
    let steps = scatter(0..shards, |shard| bulk.along(shard, first(shard)));
    let walked = bulk.all(fence.around(steps).await)?;
    let was_one_step = matches!(walked.as_slice(), [walked] if walked.steps == 1);
    let mut revoked: Vec<_> = walked
        .into_iter()
        .flat_map(|walked| walked.revoked)
        .collect();
    if was_one_step {
        fence.was_not_needed();
    } else {
        let steps = scatter(0..shards, |shard| bulk.late(shard, first(shards + shard)));
        let late = bulk.all(fence.around(steps).await)?;
        revoked.extend(late.into_iter().flatten());
        fence.lift().await;
    }
    let tokens = settled::tokens(core, revoked).await;
    tokens.map_err(|failure| of_a_part(failure, true))
}

/// A token that was revoked.
pub(super) struct Revoked {
    pub(super) id: TokenId,
    /// The token whose place it was to take, if that was not settled.
    pub(super) old: Option<TokenId>,
}

/// What the steps of one bulk revocation have in common.
struct Bulk<'a> {
    core: &'a Core,
    selection: &'a Selection,
    mark: &'a [u8],
    has_revoked: AtomicBool,
}

/// A walk along one index to its end.
struct Walked {
    steps: u32,
    revoked: Vec<Revoked>,
}

/// What one step did.
struct Step {
    /// Whether there may be more, and the last id looked at.
    goes_on: bool,
    last: Vec<u8>,
    revoked: Vec<Revoked>,
}

impl Bulk<'_> {
    fn all<T>(&self, outcomes: Outcome<Vec<Outcome<T>>>) -> Result<Vec<T>> {
        let is_touched = self.has_revoked.load(Ordering::Relaxed);
        let outcomes = outcomes.map_err(|failure| of_a_part(failure, true))?;
        all_or_error(outcomes, is_touched)
    }

    /// Walks along one shard's index; `least` is the first of enough places for the first step.
    async fn along(&self, shard: usize, mut least: u64) -> Outcome<Walked> {
        let mut walked = Walked {
            steps: 0,
            revoked: Vec::new(),
        };
        let mut after = Vec::new();
        loop {
            let step = self.step(&DELETE_PAGE, shard, &after, least).await?;
            walked.steps += 1;
            walked.revoked.extend(step.revoked);
            if !step.goes_on {
                return Ok(walked);
            }
            after = step.last;
            least = self.more_places().await?;
        }
    }

    /// Revokes the successors that were noted in a shard, and sees to it that there will be no more.
    async fn late(&self, shard: usize, mut least: u64) -> Outcome<Vec<Revoked>> {
        let mut revoked = Vec::new();
        loop {
            let step = self.step(&DELETE_LATE, shard, b"", least).await?;
            revoked.extend(step.revoked);
            if !step.goes_on {
                return Ok(revoked);
            }
            least = self.more_places().await?;
        }
    }

    async fn more_places(&self) -> Outcome<u64> {
        let (call, now) = (self.core.call(), self.core.now());
        places::take(self.core, &call, now, STEP).await
    }

    async fn step(&self, script: &Script, shard: usize, after: &[u8], least: u64) -> Outcome<Step> {
        let (core, selection) = (self.core, self.selection);
        let size = STEP.to_string();
        let mut arguments = vec![selection.index.as_bytes(), after, size.as_bytes()];
        arguments.extend([self.mark, fence::LIFETIME]);
        arguments.extend(selection.conditions());
        arguments.push(if core.is_sharded() { b"1" } else { b"0" });
        let (call, now) = (core.call(), core.now());
        let reply = core.revoke(&call, script, shard, now, least, &arguments);
        let mut reply = Reply::of(reply.await?)?;
        let looked_at = reply.integer()?;
        let last = reply.bytes()?;
        let given = reply.place()?;
        let mut revoked = Vec::with_capacity(reply.len() / 2);
        while reply.len() > 0 {
            let (id, old) = (reply.id()?, reply.bytes()?);
            let old = (!old.is_empty()).then(|| TokenId::try_from(old.as_slice()));
            let old = old.transpose().map_err(|_| strange())?;
            revoked.push(Revoked { id, old });
        }
        self.has_revoked
            .fetch_or(!revoked.is_empty(), Ordering::Relaxed);
        places::note(core, &call, least + STEP as u64 - 1, given).await?;
        Ok(Step {
            goes_on: usize::try_from(looked_at).is_ok_and(|count| count == STEP),
            last,
            revoked,
        })
    }
}
