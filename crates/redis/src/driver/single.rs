//! The calls about one token.

use std::sync::Arc;

use bytes::Bytes;
use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Outcome};
use tokenkeep_core::{Anchor, Error, Replacement, Result, TokenId, TokenRecord};

use super::core::{Core, about, lifetime, lifetime_of_index, reading, writing};
use super::gather::{self, Batch, Way};
use super::gathered::{Lookup, Revocation};
use crate::network::Slot;
use crate::record::{decode, encode, expiry_entry, instant};
use crate::reply::{Reply, bytes, sensible, strange};
use crate::script::{ADD, CREATE, REPLACE};

/// Stores a token that was checked (R2).
pub(super) async fn create(core: &Core, record: &TokenRecord) -> Result<()> {
    match store(core, record).await.map_err(writing)? {
        true => Ok(()),
        false => Err(Error::already_exists()),
    }
}

async fn store(core: &Core, record: &TokenRecord) -> Outcome<bool> {
    let (call, value) = (core.call(), encode(record));
    // Each sixteenth goes the longer way at once, and sees to what the server reclaimed.
    let is_on_duty = record.id.as_bytes()[TokenId::LEN - 1].is_multiple_of(16);
    if !is_on_duty && add(core, &call, record, &value).await? {
        return Ok(true);
    }
    let now = core.now();
    let ttl = lifetime(record.expires_at, now);
    let id = record.id.as_bytes().as_slice();
    let arguments = [b"".as_slice(), b"0", id, &value, ttl.as_bytes()];
    let shard = core.keys.shard_of(&record.id);
    let reply = core.run(&call, Effect::Writes, &CREATE, shard, now, &arguments);
    Ok(Reply::of(reply.await?)?.integer()? == 1)
}

/// Stores a token if nothing is stored for its id, not even what has expired.
async fn add(core: &Core, call: &Call, record: &TokenRecord, value: &[u8]) -> Outcome<bool> {
    let (now, expires_at) = (core.now(), record.expires_at);
    let ttl = lifetime(expires_at, now);
    let ttl_of_index = lifetime_of_index(expires_at, now);
    let shard = core.keys.shard(core.keys.shard_of(&record.id));
    let (token, expiry, entry) = (
        shard.token(&record.id),
        shard.expiry(),
        expiry_entry(record),
    );
    let anchors = Anchor::ALL.into_iter();
    let index = |anchor: Anchor| anchor.of(record).map(|text| shard.index(anchor, text));
    let indexes: Vec<_> = anchors.filter_map(index).collect();
    let mut arguments = vec![
        token.as_slice(),
        value,
        ttl.as_bytes(),
        ttl_of_index.as_bytes(),
        &expiry,
        &entry,
        record.id.as_bytes(),
    ];
    arguments.extend(indexes.iter().map(Vec::as_slice));
    let (slot, none) = (Slot(shard.slot), shard.none.as_bytes());
    let (network, effect) = (&core.network, Effect::Writes);
    let answer = network.script(call, effect, slot, &ADD, none, &arguments);
    Ok(answer.await? == Value::Int(1))
}

/// The token if it is active (R5).
pub(super) async fn get(core: &Arc<Core>, id: &TokenId) -> Result<TokenRecord> {
    let found = match gather::enter(core, || Lookup(*id)) {
        Way::Alone(_caller) => look(core, &core.call(), id).await,
        Way::Together(ticket) => ticket
            .answer(&core.call())
            .await
            .and_then(|value| value.map(|value| sensible(decode(*id, value))).transpose()),
    };
    found
        .map_err(reading)?
        .filter(|record| record.is_active(core.now()))
        .ok_or_else(Error::not_found)
}

/// What is stored for an id, whether active or not.
pub(super) async fn look(core: &Core, call: &Call, id: &TokenId) -> Outcome<Option<TokenRecord>> {
    let shard = core.keys.shard(core.keys.shard_of(id));
    let mut command = cmd("GET");
    command.arg(shard.token(id));
    let (effect, slot) = (Effect::Reads, Slot(shard.slot));
    let found = core.network.command(call, effect, slot, &command);
    match found.await.map_err(about(id))? {
        Value::Nil => Ok(None),
        value => sensible(decode(*id, Bytes::from(bytes(value)?))).map(Some),
    }
}

/// Revokes a token (R6).
pub(super) async fn delete(core: &Arc<Core>, id: &TokenId) -> Result<()> {
    match revoke(core, id).await.map_err(writing)? {
        true => Ok(()),
        false => Err(Error::not_found()),
    }
}

async fn revoke(core: &Arc<Core>, id: &TokenId) -> Outcome<bool> {
    match gather::enter(core, || Revocation(*id)) {
        Way::Alone(_caller) => Revocation::one(core, &Revocation(*id)).await?,
        Way::Together(ticket) => ticket.answer(&core.call()).await?,
    }
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
    let reply = reply.await.map_err(about(&change.id));
    let mut reply = reply.and_then(Reply::of).map_err(writing)?;
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
