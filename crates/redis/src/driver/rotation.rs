//! Rotation (R12).
//!
//! Where both tokens lie in one shard it is one script. Where they do not:
//!
//! 1. The old token is looked at.
//! 2. The successor is stored, unless its id is taken, and noted for the bulk revocations under way at its
//!    anchors: one may have left the successor's shard and not have reached the old token's yet. Where one
//!    is about to end it waits, and begins again with 1.
//! 3. The old token is revoked if it is still active: that is the rotation.
//! 4. If it is not, the successor is taken away again.
//!
//! Until a while after 2 it is written beside the successor whose place it is to take, so that a bulk
//! revocation that meets it before 3 can tell in the end whether it ever was a token.
//!
//! After a crash behind 2 or 3 a successor remains that nobody was given; it stands in all indexes, so bulk
//! revocation finds it. A crash behind 3 leaves nothing undone.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_backend::{Call, Cause, ENDLESS, Effect, Failure, Outcome, write};
use tokenkeep_core::{
    Error, Limits, Result, Rotation, Timestamp, TokenId, TokenRecord, TokenState,
};

use super::core::{Core, KEPT, about, lifetime, no_feed, reading, touched, untouched, writing};
use super::{places, single};
use crate::record::{decode_revocation, encode, unreadable};
use crate::reply::{Reply, sensible, strange};
use crate::script::{CREATE, DELETE, ROTATE, UNDO};

/// How much longer than a rotation takes at most its successor counts as not settled.
pub(super) const SETTLED: Duration = Duration::from_secs(60);

/// How a rotation ended where nothing failed.
enum Turn {
    Taken(Rotation),
    NoSuchToken,
    SuccessorExists,
}

/// Revokes the old token and stores its successor.
pub(super) async fn rotate(
    core: &Arc<Core>,
    limits: &Limits,
    old: &TokenId,
    successor: &TokenRecord,
) -> Result<Rotation> {
    let call = core.call();
    if let Err(error) = check(limits, old, successor) {
        // What the old token is comes before what is wrong with its successor.
        let used = used(core, &call, old).await.map_err(reading)?;
        return used.map_or(Err(error), answer);
    }
    let rotating = Rotating {
        core,
        call: &call,
        old,
        successor,
        value: encode(successor),
    };
    let is_in_one_shard = core.keys.shard_of(old) == core.keys.shard_of(&successor.id);
    let turn = match is_in_one_shard {
        true => rotating.at_once().await,
        false => rotating.in_steps().await,
    };
    turn.map_err(writing).and_then(answer)
}

fn check(limits: &Limits, old: &TokenId, successor: &TokenRecord) -> Result<()> {
    successor.check_new(limits)?;
    if successor.id == *old {
        let problem = "has the id of the old token";
        return Err(Error::invalid_input("successor", problem));
    }
    Ok(())
}

fn answer(turn: Turn) -> Result<Rotation> {
    match turn {
        Turn::Taken(rotation) => Ok(rotation),
        Turn::NoSuchToken => Err(Error::not_found()),
        Turn::SuccessorExists => Err(Error::already_exists()),
    }
}

/// How a rotation of this token ends at once; none if it is active.
async fn used(core: &Core, call: &Call, id: &TokenId) -> Outcome<Option<Turn>> {
    let found = single::look(core, call, id).await?;
    let now = core.now();
    Ok(match found.filter(|record| !record.is_expired(now)) {
        None => Some(Turn::NoSuchToken),
        Some(record) => was_used(record.state),
    })
}

fn was_used(state: TokenState) -> Option<Turn> {
    match state {
        TokenState::Active => None,
        TokenState::Revoked { at, successor } => {
            Some(Turn::Taken(Rotation::AlreadyUsed { at, successor }))
        }
    }
}

struct Rotating<'a> {
    core: &'a Arc<Core>,
    call: &'a Call,
    old: &'a TokenId,
    successor: &'a TokenRecord,
    /// What is stored for the successor.
    value: Vec<u8>,
}

impl Rotating<'_> {
    async fn at_once(&self) -> Outcome<Turn> {
        let now = self.core.now();
        let least = places::take(self.core, self.call, now, 1).await?;
        let turn = write(self.call, || Box::pin(self.one_step(now, least)));
        turn.await
    }

    async fn one_step(&self, now: Timestamp, least: u64) -> Outcome<Turn> {
        let ttl = lifetime(self.successor.expires_at, now);
        let new = self.successor.id.as_bytes().as_slice();
        let arguments = [self.old.as_bytes(), new, &self.value, ttl.as_bytes()];
        let shard = self.core.keys.shard_of(self.old);
        let (core, call) = (self.core, self.call);
        let reply = core.revoke(call, &ROTATE, shard, now, least, &arguments);
        let mut reply = Reply::of(reply.await.map_err(about(self.old))?)?;
        match reply.integer()? {
            3 => Ok(Turn::SuccessorExists),
            4 => Err(closed()),
            code => self.turn(code, reply, least).await,
        }
    }

    async fn in_steps(&self) -> Outcome<Turn> {
        let turn = write(self.call, || Box::pin(self.store_successor()));
        if let Some(turn) = turn.await? {
            return Ok(turn);
        }
        let turn = self.revoke_old().await;
        let is_undone = match &turn {
            Ok(Turn::Taken(Rotation::Rotated)) => return turn,
            // The old token may be revoked, and the successor is its only heir then.
            Err(failure) if failure.cause == Cause::Lost => return turn,
            _ => self.take_successor_away().await,
        };
        is_undone.and(turn)
    }

    /// Stores the successor, unless the rotation ends at once.
    async fn store_successor(&self) -> Outcome<Option<Turn>> {
        let (core, call) = (self.core, self.call);
        let look = || async { used(core, call, self.old).await.map_err(untouched) };
        if let Some(turn) = look().await? {
            return Ok(Some(turn));
        }
        call.not_sent();
        let now = core.now();
        let ttl = lifetime(self.successor.expires_at, now);
        let new = self.successor.id.as_bytes().as_slice();
        let settled = (core.timeout.min(ENDLESS) + SETTLED)
            .as_millis()
            .to_string();
        let old = self.old.as_bytes().as_slice();
        let arguments = [old, settled.as_bytes(), new, &self.value, ttl.as_bytes()];
        let shard = core.keys.shard_of(&self.successor.id);
        let reply = core.run(call, Effect::Writes, &CREATE, shard, now, &arguments);
        match Reply::of(reply.await?)?.integer()? {
            1 => Ok(None),
            0 => Ok(Some(look().await?.unwrap_or(Turn::SuccessorExists))),
            _ => Err(closed()),
        }
    }

    async fn revoke_old(&self) -> Outcome<Turn> {
        let (core, call, now) = (self.core, self.call, self.core.now());
        let least = places::take(core, call, now, 1).await?;
        let new = self.successor.id.as_bytes().as_slice();
        let arguments = [KEPT, self.old.as_bytes(), new];
        let shard = core.keys.shard_of(self.old);
        let reply = core.revoke(call, &DELETE, shard, now, least, &arguments);
        let mut reply = Reply::of(Reply::of(reply.await?)?.value()?)?;
        self.turn(reply.integer()?, reply, least).await
    }

    /// How a revocation of the old token ended, as its script tells.
    async fn turn(&self, code: i64, mut reply: Reply, least: u64) -> Outcome<Turn> {
        match code {
            0 => Ok(Turn::NoSuchToken),
            1 => {
                places::note(self.core, self.call, least, reply.place()?).await?;
                Ok(Turn::Taken(Rotation::Rotated))
            }
            2 => {
                let (at, successor) = (reply.bytes()?, reply.bytes()?);
                let state = sensible(decode_revocation(*self.old, &at, &successor))?;
                was_used(state).ok_or_else(strange)
            }
            // No other code is left of a rotation in one step.
            3 => sensible(Err(unreadable(*self.old))),
            4 => Err(no_feed()),
            _ => Err(strange()),
        }
    }

    /// Takes the successor away, which may be revoked by now. Where that fails, it may be there still.
    async fn take_successor_away(&self) -> Outcome<()> {
        let (core, id) = (self.core, &self.successor.id);
        let arguments = [id.as_bytes().as_slice(), self.old.as_bytes()];
        let shard = core.keys.shard_of(id);
        let (effect, now) = (Effect::Writes, core.now());
        let undone = core.run(self.call, effect, &UNDO, shard, now, &arguments);
        undone.await.map(drop).map_err(touched)
    }
}

fn closed() -> Failure {
    Failure::again("a bulk revocation that concerns the successor is about to end")
}
