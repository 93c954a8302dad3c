//! The calls about one token.

use bytes::Bytes;
use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Outcome};
use tokenkeep_core::{Error, Replacement, Result, TokenId, TokenRecord};

use super::core::{Core, lifetime, reading, writing};
use super::places;
use crate::network::Slot;
use crate::record::{decode, encode, instant};
use crate::reply::{Reply, bytes, sensible, strange};
use crate::script::{CREATE, DELETE, REPLACE};

/// Stores a token that was checked (R2).
pub(super) async fn create(core: &Core, record: &TokenRecord) -> Result<()> {
    match store(core, record).await.map_err(writing)? {
        true => Ok(()),
        false => Err(Error::already_exists()),
    }
}

async fn store(core: &Core, record: &TokenRecord) -> Outcome<bool> {
    let now = core.now();
    let (value, ttl) = (encode(record), lifetime(record.expires_at, now));
    let id = record.id.as_bytes().as_slice();
    let arguments = [b"", &b"0"[..], id, &value, ttl.as_bytes()];
    let shard = core.keys.shard_of(&record.id);
    let (call, effect) = (core.call(), Effect::Writes);
    let reply = core.run(&call, effect, &CREATE, shard, now, &arguments);
    Ok(Reply::of(reply.await?)?.integer()? == 1)
}

/// The token if it is active (R5).
pub(super) async fn get(core: &Core, id: &TokenId) -> Result<TokenRecord> {
    let found = look(core, &core.call(), id).await.map_err(reading)?;
    found
        .filter(|record| record.is_active(core.now()))
        .ok_or_else(Error::not_found)
}

/// What is stored for an id, whether active or not.
pub(super) async fn look(core: &Core, call: &Call, id: &TokenId) -> Outcome<Option<TokenRecord>> {
    let shard = core.keys.shard(core.keys.shard_of(id));
    let mut command = cmd("GET");
    command.arg(shard.token(id));
    let (effect, slot) = (Effect::Reads, Slot(shard.slot));
    match core.network.command(call, effect, slot, &command).await? {
        Value::Nil => Ok(None),
        value => sensible(decode(*id, Bytes::from(bytes(value)?))).map(Some),
    }
}

/// Revokes a token (R6).
pub(super) async fn delete(core: &Core, id: &TokenId) -> Result<()> {
    match revoke(core, id).await.map_err(writing)? {
        true => Ok(()),
        false => Err(Error::not_found()),
    }
}

async fn revoke(core: &Core, id: &TokenId) -> Outcome<bool> {
    let (now, call) = (core.now(), core.call());
    let least = places::take(core, &call, now, 1).await?;
    let arguments = [id.as_bytes().as_slice(), b""];
    let shard = core.keys.shard_of(id);
    let reply = core.revoke(&call, &DELETE, shard, now, least, &arguments);
    let mut reply = Reply::of(reply.await?)?;
    if reply.integer()? != 1 {
        return Ok(false);
    }
    let given = reply.place()?;
    places::note(core, &call, least, given).await?;
    Ok(true)
}

/// Changes data and expiry of an active token of this version (R11).
pub(super) async fn replace(core: &Core, change: &Replacement, expected: u64) -> Result<u64> {
    // A version that has none after it is the current one of no token.
    let next = expected.saturating_add(1);
    let now = core.now();
    let (expires_at, ttl) = (instant(change.expires_at), lifetime(change.expires_at, now));
    let arguments = [
        change.id.as_bytes().as_slice(),
        &expected.to_be_bytes(),
        &next.to_be_bytes(),
        &expires_at,
        &change.data,
        ttl.as_bytes(),
    ];
    let shard = core.keys.shard_of(&change.id);
    let (call, effect) = (core.call(), Effect::Writes);
    let reply = core.run(&call, effect, &REPLACE, shard, now, &arguments);
    let mut reply = reply.await.and_then(Reply::of).map_err(writing)?;
    match reply.integer().map_err(writing)? {
        0 => Err(Error::not_found()),
        1 => Ok(next),
        _ => {
            let found = reply.bytes().map_err(writing)?;
            let found = found.try_into().map_err(|_| writing(strange()))?;
            Err(Error::conflict(expected, u64::from_be_bytes(found)))
        }
    }
}
