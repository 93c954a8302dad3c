//! Bulk revocation, in steps that each leave room for short calls (R16).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokenkeep_backend::Outcome;
use tokenkeep_core::{Result, TokenFilter, TokenId};

use super::core::Core;
use super::fence::{self, Fence};
use super::filter::Selection;
use super::places;
use super::scatter::{all_or_error, of_a_part, scatter};
use crate::reply::{Reply, strange};
use crate::script::DELETE_PAGE;

/// How many tokens one step looks at.
const STEP: usize = 100;

/// Revokes what matches (R8): in all shards, in each along the index of the filter's first anchor.
pub(super) async fn delete_tokens(core: &Arc<Core>, filter: &TokenFilter) -> Result<Vec<TokenId>> {
    let selection = Selection::new(filter, filter.check()?);
    let fence = Fence::new(core, &selection.index);
    let shards = core.keys.len();
    let (call, now) = (core.call(), core.now());
    let taken = places::take(core, &call, now, STEP * shards).await;
    let least = taken.map_err(|failure| of_a_part(failure, false))?;
    let walk = Walk {
        core,
        selection: &selection,
        fence: &fence,
        has_revoked: AtomicBool::new(false),
    };
    let work = scatter(0..shards, |shard| {
        // The places of the first steps are asked for at once.
        walk.along(shard, least + (STEP * shard) as u64)
    });
    let outcomes = fence.around(work).await;
    let is_touched = walk.has_revoked.load(Ordering::Relaxed);
    let outcomes = outcomes.map_err(|failure| of_a_part(failure, true))?;
    let revoked = all_or_error(outcomes, is_touched)?;
    fence.lift().await;
    Ok(revoked.into_iter().flatten().collect())
}

/// What the walks along all shards' indexes have in common.
struct Walk<'a> {
    core: &'a Core,
    selection: &'a Selection,
    fence: &'a Fence,
    has_revoked: AtomicBool,
}

/// What one step did.
struct Step {
    /// The id after which the next one begins; none at the end of the index.
    last: Option<TokenId>,
    revoked: Vec<TokenId>,
}

impl Walk<'_> {
    /// Walks along one shard's index; `least` is the first of enough places for the first step.
    async fn along(&self, shard: usize, mut least: u64) -> Outcome<Vec<TokenId>> {
        let mut revoked = Vec::new();
        let mut after = None;
        loop {
            let step = self.step(shard, after, least).await?;
            revoked.extend(step.revoked);
            if step.last.is_none() {
                return Ok(revoked);
            }
            after = step.last;
            let (call, now) = (self.core.call(), self.core.now());
            least = places::take(self.core, &call, now, STEP).await?;
        }
    }

    async fn step(&self, shard: usize, after: Option<TokenId>, least: u64) -> Outcome<Step> {
        let (core, selection) = (self.core, self.selection);
        let after = after.as_ref().map_or(&b""[..], |id| id.as_bytes());
        let size = STEP.to_string();
        let mut arguments = vec![selection.index.as_bytes(), after, size.as_bytes()];
        arguments.extend([self.fence.mark(), fence::LIFETIME]);
        arguments.extend(selection.conditions());
        let is_sharded: &[u8] = if core.is_sharded() { b"1" } else { b"0" };
        arguments.push(is_sharded);
        let (call, now) = (core.call(), core.now());
        let reply = core.revoke(&call, &DELETE_PAGE, shard, now, least, &arguments);
        let mut reply = Reply::of(reply.await?)?;
        let is_full = usize::try_from(reply.integer()?).map_err(|_| strange())? == STEP;
        let last = reply.bytes()?;
        let last = is_full.then(|| TokenId::try_from(last.as_slice()));
        let given = reply.place()?;
        let mut revoked = Vec::with_capacity(reply.len());
        while reply.len() > 0 {
            revoked.push(reply.id()?);
        }
        self.has_revoked
            .fetch_or(!revoked.is_empty(), Ordering::Relaxed);
        places::note(core, &call, least + STEP as u64 - 1, given).await?;
        let last = last.transpose().map_err(|_| strange())?;
        Ok(Step { last, revoked })
    }
}
