//! Which of the tokens that a bulk revocation revoked were tokens.
//!
//! A rotation in steps stores the successor first. It may find the old token revoked then, by this bulk
//! revocation for one, and takes the successor away again: that one never was a token. One whose rotation
//! came to no end, since its process died, is a token like others that nobody was given.

use std::time::{Duration, Instant};

use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Outcome};
use tokenkeep_core::{TokenId, TokenState};

use super::bulk::Revoked;
use super::core::{Core, touched};
use super::rotation::SETTLED;
use super::scatter::scatter;
use super::single;
use crate::network::Slot;
use crate::reply::strange;

/// How long is waited before it is looked again whether a rotation has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The ids of those that were tokens.
pub(super) async fn tokens(core: &Core, revoked: Vec<Revoked>) -> Outcome<Vec<TokenId>> {
    let revoked = &revoked;
    let ids = scatter(0..revoked.len(), |number| async move {
        let Revoked { id, old } = &revoked[number];
        let was_token = match old {
            Some(old) => was_token(core, id, old).await?,
            None => true,
        };
        Ok(was_token.then_some(*id))
    });
    let ids: Outcome<Vec<_>> = ids.await.into_iter().collect();
    ids.map(|ids| ids.into_iter().flatten().collect())
        .map_err(touched)
}

/// Waits, where need be, until its rotation has ended or can take no longer.
async fn was_token(core: &Core, id: &TokenId, old: &TokenId) -> Outcome<bool> {
    let call = core.call();
    loop {
        let found = single::look(core, &call, old).await?;
        match found.map(|record| record.state) {
            Some(TokenState::Revoked { successor, .. }) if successor != Some(*id) => {}
            _ => return Ok(true),
        }
        let may_go_on = may_go_on(core, &call, id).await?;
        if single::look(core, &call, id).await?.is_none() {
            return Ok(false);
        }
        if !may_go_on || Instant::now() + PAUSE >= call.deadline() {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the rotation that stored this successor may have been given time still.
async fn may_go_on(core: &Core, call: &Call, id: &TokenId) -> Outcome<bool> {
    let shard = core.keys.shard(core.keys.shard_of(id));
    let mut command = cmd("PTTL");
    command.arg(shard.turn(id));
    let (effect, slot) = (Effect::Reads, Slot(shard.slot));
    match core.network.command(call, effect, slot, &command).await? {
        Value::Int(left) => Ok(left > SETTLED.as_millis() as i64),
        _ => Err(strange()),
    }
}
