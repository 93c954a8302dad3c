//! The mark of a bulk revocation, by which successors are noted for it that rotations store behind its back.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use redis::Value;
use tokenkeep_backend::{Call, Effect, Outcome};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::core::Core;
use super::scatter::scatter;
use crate::script::FENCE;

/// How many milliseconds a mark counts of which nothing more is heard.
pub(super) const LIFETIME: &[u8] = b"60000";
/// How often it is made to count on while a bulk revocation goes on.
const AGAIN: Duration = Duration::from_secs(15);
/// How long that may take; with the above well within its lifetime.
const MOST: Duration = Duration::from_secs(20);

/// The mark that a bulk revocation leaves in each shard with its first step there, and takes away when all
/// shards are done. Where it is dropped before, that is made up for in the background.
///
/// It is open first, and successors that are stored meanwhile are noted for it. When all indexes are walked
/// it is closed in one shard after the other, and what was noted there is revoked; no successor is stored
/// then. So once it is closed everywhere no token is active that has an ancestor from before.
///
/// That holds if the mark counted all the while. Each step finds out whether it did so in its shard, and the
/// last one whether it did in all of them; a server keeps none that lapsed once.
#[derive(Debug)]
pub(super) struct Fence {
    core: Arc<Core>,
    index: String,
    mark: [u8; 8],
    is_standing: bool,
}

impl Fence {
    pub(super) fn new(core: &Arc<Core>, index: &str) -> Self {
        Self {
            core: Arc::clone(core),
            index: index.to_owned(),
            // A RandomState is seeded by the system; two marks at one index have to differ.
            mark: RandomState::new().hash_one(Instant::now()).to_be_bytes(),
            is_standing: true,
        }
    }

    pub(super) fn mark(&self) -> &[u8] {
        &self.mark
    }

    /// Goes through with a part of a bulk revocation, and lets the mark count on meanwhile, in shards that are
    /// done already too. Where that fails the mark lapses, which the next step there learns of.
    pub(super) async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        match select(pin!(work), pin!(self.count_on())).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    async fn count_on(&self) -> Infallible {
        loop {
            sleep(AGAIN).await;
            let _ = set(&self.core, &self.index, self.mark, LIFETIME).await;
        }
    }

    /// There is none: the bulk revocation took one step.
    pub(super) fn was_not_needed(mut self) {
        self.is_standing = false;
    }

    /// Takes it away; tells whether it counted in all shards until then. Where that fails it is tried once
    /// more in the background; what then still stands goes by itself, and delays rotations until it does.
    pub(super) async fn lift(mut self) -> Outcome<bool> {
        let stood = set(&self.core, &self.index, self.mark, b"0").await?;
        self.is_standing = false;
        Ok(stood)
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        if !self.is_standing {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let (core, index, mark) = (Arc::clone(&self.core), self.index.clone(), self.mark);
        runtime.spawn(async move { set(&core, &index, mark, b"0").await });
    }
}

/// Lets the mark count on in all shards, or takes it away with no lifetime; tells whether it counted in all of
/// them. It was made by a step of the bulk revocation, with the replicas that this asks for: here it may be
/// done twice, and asks for none. Where it was taken away twice it did not count the second time.
async fn set(core: &Core, index: &str, mark: [u8; 8], lifetime: &[u8]) -> Outcome<bool> {
    let call = Call::within(core.timeout.min(MOST));
    let (call, now) = (&call, core.now());
    let arguments = [index.as_bytes(), &mark, lifetime];
    let shards = 0..core.keys.len();
    let stood = scatter(shards, |shard| async move {
        let effect = Effect::Reads;
        let stood = core.run(call, effect, &FENCE, shard, now, &arguments);
        Ok(stood.await? == Value::Int(1))
    });
    let stood: Outcome<Vec<_>> = stood.await.into_iter().collect();
    Ok(stood?.into_iter().all(|stood| stood))
}
