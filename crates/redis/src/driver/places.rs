//! Places in the order of revocation (R10).
//!
//! A shard gives each of its revocations a higher place than the one before. In a store of several a
//! revocation asks first, of a counter that all of them share, for the least place that it may get: so of
//! two revocations one after the other the later one has the higher place, in whichever shards. Where a
//! shard gave a higher place than was asked for, the counter is told before the call returns.

use std::sync::Arc;

use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Outcome};
use tokenkeep_core::Timestamp;

use super::core::{Core, touched, untouched};
use super::gather::{self, Batch, Gather, Way};
use crate::network::Slot;
use crate::reply;
use crate::script::PLACES;

/// The highest place that the clock gives: it leaves room for as many again.
const MOST: u64 = 1 << 52;

/// The first of some places in a row, none of which was given before.
///
/// The clock goes into them, so that places are not given again where a failover has lost the last ones.
pub(super) async fn take(
    core: &Arc<Core>,
    call: &Call,
    now: Timestamp,
    count: usize,
) -> Outcome<u64> {
    let least = u64::try_from(now.as_micros()).unwrap_or(0).min(MOST);
    if !core.is_sharded() {
        return Ok(least);
    }
    let wish = Wish { count, least };
    let first = match gather::enter(core, || wish) {
        Way::Alone(_caller) => ask(core, call, count, least).await,
        Way::Together(ticket) => ticket.answer(call).await,
    };
    first.map_err(untouched)
}

/// So many places in a row, none of them below the least. Who waits for others' wishes asks later than they
/// did, so the order of revocations is as if each had asked by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    count: usize,
    least: u64,
}

impl Batch for Wish {
    type Answer = u64;

    fn gather(core: &Core) -> &Gather<Self> {
        &core.gathers.wishes
    }

    fn is_gathered(_core: &Core) -> bool {
        true
    }

    async fn execute(core: &Arc<Core>, call: &Call, wishes: &[Self]) -> Outcome<Vec<u64>> {
        let count = wishes.iter().map(|wish| wish.count).sum();
        let least = wishes.iter().map(|wish| wish.least).max().unwrap_or(0);
        let mut next = ask(core, call, count, least).await?;
        let firsts = wishes.iter().map(|wish| {
            let first = next;
            next += wish.count as u64;
            first
        });
        Ok(firsts.collect())
    }
}

/// Tells the counter of the highest place that a shard gave, where `taken` was the last asked for.
pub(super) async fn note(core: &Core, call: &Call, taken: u64, given: u64) -> Outcome<()> {
    match core.is_sharded() && given > taken {
        true => ask(core, call, 0, given).await.map(drop).map_err(touched),
        false => Ok(()),
    }
}

/// Raises the counter where a revocation ended between the two.
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
