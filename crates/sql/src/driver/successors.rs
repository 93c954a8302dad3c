//! What follows by rotation from the tokens of a bulk revocation while that is at work (R8).
//!
//! A walk in order of the ids can be passed by: a successor is stored where the walk has been, and its
//! parent is used up before the walk reaches it; even one statement may read too early to see the
//! successor and come too late for the parent. But each rotation is in the feed, in order and
//! without gaps. So what was active before the call and is active after it, under whatever id, has
//! its last rotation at a place that was given meanwhile. When all places since were given to this
//! call's own revocations, nothing was rotated that the walk could have missed.

use tokenkeep_backend::{read, write};
use tokenkeep_core::{Result, TokenFilter, TokenId};

use super::core::{Core, reading, writing};
use crate::dialect::Place;

/// How many rotations of one family are followed before the feed is asked again where it has come to.
const LINKS: usize = 16;

/// How far the feed could be followed.
pub(super) enum Followed {
    /// Nothing is active any more that followed from what the walk was to find.
    ToTheEnd,
    /// Rotated tokens expired and were removed since, and what followed from them is not known.
    ToAGap,
}

/// The last place that the feed has given.
pub(super) async fn last_place(core: &Core) -> Result<Place> {
    let call = core.call();
    let place = read(&call, || core.dialect.last_place(&call));
    place.await.map_err(reading)
}

/// Revokes what matches of the successors in the feed after `seen`, where so many places are the
/// walk's own; in steps of so many places.
pub(super) async fn follow(
    core: &Core,
    filter: &TokenFilter,
    step: u64,
    mut seen: Place,
    mut own: u64,
    revoked: &mut Vec<TokenId>,
) -> Result<Followed> {
    loop {
        let last = last_place(core).await?;
        if last.0 <= seen.0 + own {
            return Ok(Followed::ToTheEnd);
        }
        own = 0;
        while seen < last {
            let up_to = last.min(Place(seen.0 + step));
            let part = part(core, filter, seen, up_to).await?;
            let stored = part.len() as u64;
            for successor in part.into_iter().flatten() {
                let ended = end_line(core, filter, successor).await?;
                own += u64::from(ended.is_some());
                revoked.extend(ended);
            }
            if stored < up_to.0 - seen.0 {
                return Ok(Followed::ToAGap);
            }
            seen = up_to;
        }
    }
}

/// What is stored of a part of the feed: of each revocation the successor, if it is to be revoked.
async fn part(
    core: &Core,
    filter: &TokenFilter,
    after: Place,
    last: Place,
) -> Result<Vec<Option<TokenId>>> {
    let (call, now) = (core.call(), core.now());
    let part = read(&call, || {
        let dialect = &core.dialect;
        dialect.successors(&call, filter, after, last, now)
    });
    part.await.map_err(reading)
}

/// Revokes a token, or the one that takes its place while this comes too late for it.
async fn end_line(core: &Core, filter: &TokenFilter, id: TokenId) -> Result<Option<TokenId>> {
    let (call, now) = (core.call(), core.now());
    let ended = write(&call, || {
        let dialect = &core.dialect;
        dialect.revoke_line(&call, filter, id, LINKS, now)
    });
    ended.await.map_err(writing)
}
