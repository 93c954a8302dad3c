//! Places in the order of revocation (R10).
//!
//! A shard gives each of its revocations a higher place than the one before. In a store of several a
//! revocation asks first, of a counter that all of them share, for the least place that it may get: so of
//! two revocations one after the other the later one has the higher place, in whichever shards. Where a
//! shard gave a higher place than was asked for, the counter is told before the call returns.

use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Outcome};
use tokenkeep_core::Timestamp;

use super::core::{Core, touched, untouched};
use crate::network::Slot;
use crate::reply;
use crate::script::PLACES;

/// The highest place that the clock gives: it leaves room for as many again.
const MOST: u64 = 1 << 52;

/// The first of some places in a row, none of which was given before.
///
/// The clock goes into them, so that places are not given again where a failover has lost the last ones.
pub(super) async fn take(core: &Core, call: &Call, now: Timestamp, count: usize) -> Outcome<u64> {
    let least = u64::try_from(now.as_micros()).unwrap_or(0).min(MOST);
    match core.is_sharded() {
        true => ask(core, call, count, least).await.map_err(untouched),
        false => Ok(least),
    }
}

/// Tells the counter of the highest place that a shard gave, where `taken` was the last asked for.
pub(super) async fn note(core: &Core, call: &Call, taken: u64, given: u64) -> Outcome<()> {
    match core.is_sharded() && given > taken {
        true => ask(core, call, 0, given).await.map(drop).map_err(touched),
        false => Ok(()),
    }
}

/// Raises the counter where a revocation ended between the two; tells how high it is at least.
pub(super) async fn raise(core: &Core, call: &Call, seen: u64) -> Outcome<()> {
    ask(core, call, 0, seen).await.map(drop)
}

/// The highest place that was asked for in a store of several shards.
pub(super) async fn highest(core: &Core, call: &Call) -> Outcome<u64> {
    let key = &core.keys.place;
    let mut command = cmd("GET");
    command.arg(&key.name);
    let (effect, slot) = (Effect::Reads, Slot(key.slot));
    match core.network.command(call, effect, slot, &command).await? {
        Value::Nil => Ok(0),
        place => reply::place(place),
    }
}

/// No token hangs on the counter: it may be asked again, and is in no need of a replica.
async fn ask(core: &Core, call: &Call, count: usize, least: u64) -> Outcome<u64> {
    let key = &core.keys.place;
    let (count, least) = (count.to_string(), least.to_string());
    let arguments = [count.as_bytes(), least.as_bytes()];
    let place = core
        .network
        .script(
            call,
            Effect::Reads,
            Slot(key.slot),
            &PLACES,
            key.name.as_bytes(),
            &arguments,
        )
        .await?;
    reply::place(place)
}
