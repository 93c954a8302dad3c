//! The removal of expired tokens that the server has not reclaimed yet, and of what is left of those that
//! it has (R13).

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tokenkeep_backend::{Effect, Outcome};
use tokenkeep_core::{Flushed, Result, Timestamp};

use super::core::Core;
use super::scatter::{all_or_error, of_a_part, scatter};
use crate::reply::{Reply, strange};
use crate::script::FLUSH;

/// How many tokens one step looks at. Whoever reads meanwhile waits for a step, and for each token the server
/// gives several commands.
const STEP: &[u8] = b"25";

/// The longest pause after a step. Each is as long as the step was, so that a server, which does one thing at a
/// time, has as much left for others as the flush takes.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// What one step did, and what it left.
struct Step {
    removed: u64,
    left: Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    ATokenAtLeast,
    Unknown,
}

/// Removes expired tokens, first those of one shard, then those of the next.
pub(super) async fn flush_expired(core: &Core, limit: NonZeroU32) -> Result<Flushed> {
    let now = core.now();
    let mut flushed = Flushed::default();
    for shard in waiting(core, now).await? {
        loop {
            let started = Instant::now();
            let limit = u64::from(limit.get()) - flushed.removed;
            let step = step(core, shard, limit, now).await;
            let step = step.map_err(|failure| of_a_part(failure, flushed.removed > 0))?;
            flushed.removed += step.removed;
            match step.left {
                Left::Nothing => break,
                // It told of one that it did not remove: that was the limit.
                Left::ATokenAtLeast => {
                    flushed.more = true;
                    return Ok(flushed);
                }
                Left::Unknown => {}
            }
            tokio::time::sleep(started.elapsed().min(LONGEST_PAUSE)).await;
        }
    }
    Ok(flushed)
}

/// The shards in which something waits, as a first look at all of them shows.
async fn waiting(core: &Core, now: Timestamp) -> Result<Vec<usize>> {
    if !core.is_sharded() {
        return Ok(vec![0]);
    }
    let looks = scatter(0..core.keys.len(), |shard| async move {
        let look = step(core, shard, 0, now).await?;
        Ok((look.left != Left::Nothing).then_some(shard))
    });
    let found = all_or_error(looks.await, false)?;
    Ok(found.into_iter().flatten().collect())
}

async fn step(core: &Core, shard: usize, limit: u64, now: Timestamp) -> Outcome<Step> {
    let limit = limit.to_string();
    let arguments = [limit.as_bytes(), STEP];
    let (call, effect) = (core.call(), Effect::Writes);
    let reply = core.run(&call, effect, &FLUSH, shard, now, &arguments);
    let mut reply = Reply::of(reply.await?)?;
    let removed = u64::try_from(reply.integer()?).map_err(|_| strange())?;
    let left = match reply.integer()? {
        0 => Left::Nothing,
        1 => Left::ATokenAtLeast,
        _ => Left::Unknown,
    };
    Ok(Step { removed, left })
}
