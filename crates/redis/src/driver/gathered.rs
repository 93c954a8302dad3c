//! What is gathered: with one shard reads and revocations of single tokens, with several the questions for
//! places. Reads and revocations are not then, since calls at the same time are mostly about different shards;
//! creations never, since a server gains nothing by it.

use std::sync::Arc;

use bytes::Bytes;
use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Outcome};
use tokenkeep_core::TokenId;

use super::core::{Core, KEPT, no_feed};
use super::gather::{Batch, Gather};
use super::places::{self, Wish};
use crate::network::Slot;
use crate::record::unreadable;
use crate::reply::{Reply, bytes, sensible, strange};
use crate::script::DELETE;

/// Where each kind of call gathers.
#[derive(Debug, Default)]
pub(super) struct Gathers {
    lookups: Gather<Lookup>,
    revocations: Gather<Revocation>,
    pub(super) wishes: Gather<Wish>,
}

/// What is stored for an id, if anything is.
#[derive(Debug)]
pub(super) struct Lookup(pub(super) TokenId);

impl Batch for Lookup {
    type Answer = Option<Bytes>;

    fn gather(core: &Core) -> &Gather<Self> {
        &core.gathers.lookups
    }

    fn is_gathered(core: &Core) -> bool {
        !core.is_sharded()
    }

    async fn execute(
        core: &Arc<Core>,
        call: &Call,
        lookups: &[Self],
    ) -> Outcome<Vec<Self::Answer>> {
        let Some(Self(first)) = lookups.first() else {
            return Ok(Vec::new());
        };
        let shard = core.keys.shard(core.keys.shard_of(first));
        let mut command = cmd("MGET");
        for Self(id) in lookups {
            command.arg(shard.token(id));
        }
        let (effect, slot) = (Effect::Reads, Slot(shard.slot));
        let values = match core.network.command(call, effect, slot, &command).await? {
            Value::Array(values) if values.len() == lookups.len() => values,
            _ => return Err(strange()),
        };
        let found = values.into_iter().map(|value| match value {
            Value::Nil => Ok(None),
            value => bytes(value).map(Bytes::from).map(Some),
        });
        found.collect()
    }
}

/// The revocation of a token; the answer is whether it was active, and of one that cannot be read that.
#[derive(Debug)]
pub(super) struct Revocation(pub(super) TokenId);

impl Batch for Revocation {
    type Answer = Outcome<bool>;

    fn gather(core: &Core) -> &Gather<Self> {
        &core.gathers.revocations
    }

    fn is_gathered(core: &Core) -> bool {
        !core.is_sharded()
    }

    async fn execute(
        core: &Arc<Core>,
        call: &Call,
        revocations: &[Self],
    ) -> Outcome<Vec<Outcome<bool>>> {
        let Some(Self(first)) = revocations.first() else {
            return Ok(Vec::new());
        };
        let now = core.now();
        let least = places::take(core, call, now, revocations.len()).await?;
        let mut arguments: Vec<&[u8]> = Vec::with_capacity(1 + 2 * revocations.len());
        arguments.push(KEPT);
        for Self(id) in revocations {
            arguments.extend([id.as_bytes().as_slice(), b""]);
        }
        let shard = core.keys.shard_of(first);
        let reply = core.revoke(call, &DELETE, shard, now, least, &arguments);
        let mut reply = Reply::of(reply.await?)?;
        let (mut were_active, mut highest) = (Vec::with_capacity(revocations.len()), 0);
        for Self(id) in revocations {
            let mut answer = Reply::of(reply.value()?)?;
            were_active.push(match answer.integer()? {
                1 => {
                    highest = answer.place()?;
                    Ok(true)
                }
                3 => sensible(Err(unreadable(*id))),
                4 => Err(no_feed()),
                _ => Ok(false),
            });
        }
        places::note(core, call, least, highest).await?;
        Ok(were_active)
    }
}
