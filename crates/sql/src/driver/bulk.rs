//! The calls about many tokens, in steps that each are bounded and leave room for short calls (R16).

use std::num::NonZeroU32;

use tokenkeep_backend::{after_a_part, read, write};
use tokenkeep_core::{Flushed, Result, TokenFilter, TokenId};

use super::core::{Core, reading, writing};
use super::successors::{Followed, follow, last_place};

/// Revokes what matches, and what follows from it by rotation meanwhile, in steps of this size.
pub(super) async fn delete_tokens(
    core: &Core,
    filter: &TokenFilter,
    step: usize,
) -> Result<Vec<TokenId>> {
    let mut revoked = Vec::new();
    loop {
        let start = last_place(core).await?;
        let walked = walk(core, filter, step).await?;
        let own = walked.len() as u64;
        revoked.extend(walked);
        match follow(core, filter, step as u64, start, own, &mut revoked).await? {
            Followed::ToTheEnd => break,
            // What followed from a token that is gone can be found by its anchor alone.
            Followed::ToAGap => {}
        }
    }
    // An id whose token was revoked and expired may have been another's that was revoked in turn.
    revoked.sort_unstable();
    revoked.dedup();
    Ok(revoked)
}

/// Revokes what matches in order of the ids.
async fn walk(core: &Core, filter: &TokenFilter, step: usize) -> Result<Vec<TokenId>> {
    let mut revoked = Vec::new();
    let mut after = None;
    loop {
        let now = core.now();
        let call = core.call();
        let looked_at = write(&call, || {
            let dialect = &core.dialect;
            dialect.revoke_page(&call, filter, after, step, now)
        })
        .await
        .map_err(writing)?;
        let was_revoked = |(id, was): &(TokenId, bool)| was.then_some(*id);
        revoked.extend(looked_at.iter().filter_map(was_revoked));
        match looked_at.last() {
            Some((last, _)) if looked_at.len() >= step => after = Some(*last),
            _ => return Ok(revoked),
        }
    }
}

/// Removes expired records in steps of this size.
pub(super) async fn flush_expired(core: &Core, limit: NonZeroU32, step: u32) -> Result<Flushed> {
    let limit = u64::from(limit.get());
    let now = core.now();
    let mut removed = 0;
    let part = |removed: u64, error| match removed {
        0 => error,
        _ => after_a_part(error),
    };
    while removed < limit {
        let left = u32::try_from(limit - removed).unwrap_or(step).min(step);
        let call = core.call();
        let gone = write(&call, || core.dialect.flush(&call, left, now))
            .await
            .map_err(|failure| part(removed, writing(failure)))?;
        removed += gone;
        if gone < u64::from(left) {
            break;
        }
    }
    let call = core.call();
    let more = read(&call, || core.dialect.has_expired(&call, now))
        .await
        .map_err(|failure| part(removed, reading(failure)))?;
    Ok(Flushed { removed, more })
}
