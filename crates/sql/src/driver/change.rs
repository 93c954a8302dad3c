//! The calls that change one token on a condition: replace and rotate.
use tokenkeep_backend::{Call, read, write};
use tokenkeep_core::{
    Error, ErrorKind, Limits, Replacement, Result, Rotation, TokenId, TokenRecord, TokenState,
};

use super::core::{Core, reading, writing};
use crate::dialect::Turn;

/// How often a replacement that found no token is tried again because a later look finds one.
const MAX_LOOKS: u32 = 8;

/// Changes data and expiry of an active token of this version (R11).
pub(super) async fn replace(core: &Core, change: Replacement, expected: u64) -> Result<u64> {
    // A column holds no version beyond this; such a one is never the current one.
    let next = expected
        .checked_add(1)
        .filter(|next| i64::try_from(*next).is_ok());
    let call = core.call();
    for _ in 0..MAX_LOOKS {
        if let Some(next) = next {
            let now = core.now();
            let replaced = write(&call, || {
                core.dialect.replace(&call, &change, expected, now)
            })
            .await
            .map_err(writing)?;
            if replaced {
                return Ok(next);
            }
        }
        let found = look(core, &call, &change.id)
            .await?
            .ok_or_else(Error::not_found)?;
        if !found.is_active(core.now()) {
            return Err(Error::not_found());
        }
        if found.version != expected {
            return Err(Error::conflict(expected, found.version));
        }
        // Between the two another call put a new token in an expired one's place.
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "the token changed at every look",
    ))
}

/// Revokes the old token and stores its successor (R12).
pub(super) async fn rotate(
    core: &Core,
    limits: &Limits,
    old: &TokenId,
    successor: &TokenRecord,
) -> Result<Rotation> {
    if let Err(error) = check(limits, old, successor) {
        // What the old token is comes before what is wrong with its successor.
        return used(core, old).await?.ok_or(error);
    }
    let now = core.now();
    let call = core.call();
    let turn = write(&call, || core.dialect.rotate(&call, old, successor, now))
        .await
        .map_err(writing)?;
    match turn {
        Turn::Taken(rotation) => Ok(rotation),
        Turn::NoSuchToken => Err(Error::not_found()),
        Turn::SuccessorExists => Err(Error::already_exists()),
    }
}

fn check(limits: &Limits, old: &TokenId, successor: &TokenRecord) -> Result<()> {
    successor.check_new(limits)?;
    if successor.id == *old {
        let problem = "has the id of the old token";
        return Err(Error::invalid_input("successor", problem));
    }
    Ok(())
}

/// How a token was used; none if it is active.
async fn used(core: &Core, id: &TokenId) -> Result<Option<Rotation>> {
    let found = look(core, &core.call(), id)
        .await?
        .ok_or_else(Error::not_found)?;
    if found.is_expired(core.now()) {
        return Err(Error::not_found());
    }
    match found.state {
        TokenState::Active => Ok(None),
        TokenState::Revoked { at, successor } => Ok(Some(Rotation::AlreadyUsed { at, successor })),
    }
}

async fn look(core: &Core, call: &Call, id: &TokenId) -> Result<Option<TokenRecord>> {
    let ids = [*id];
    let found = read(call, || core.dialect.fetch(call, &ids)).await;
    Ok(found.map_err(reading)?.into_iter().next())
}
