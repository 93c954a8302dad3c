//! `replace` beside itself and beside revocations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokenkeep_core::ErrorKind::{AlreadyExists, Conflict, NotFound};
use tokenkeep_core::{
    Replacement, Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenId, TokenRecord,
};
use tokio::sync::Notify;

use super::at_once::{all_at_once, at_once, one_winner};
use crate::case::cases;
use crate::check::{Check, Failure, ensure, fails, same};
use crate::context::{Context, LIFETIME};

cases! { Concurrency:
    one_of_concurrent_replaces_of_a_version_wins [R11],
    concurrent_read_modify_replace_loses_nothing [R4 R11],
    a_late_replace_never_revives_a_deleted_token [R7 R11],
    a_late_replace_never_revives_a_bulk_revoked_token [R7 R8 R11],
    a_late_replace_never_revives_a_rotated_token [R7 R11 R12],
}

async fn one_of_concurrent_replaces_of_a_version_wins(ctx: Context) -> Check {
    let token = ctx.stored("ada").await?;
    let calls = (0..100u64).map(|number| {
        let driver = ctx.driver();
        let change = Replacement {
            id: token.id,
            expires_at: token.expires_at.saturating_add(Duration::from_secs(number)),
            data: format!("data {number}").into(),
        };
        async move { driver.replace(change, 1).await }
    });
    let answers = at_once(calls.collect()).await?;
    let winner = one_winner(&answers, Conflict, "concurrent replaces of one version")?;
    let wanted = TokenRecord {
        data: format!("data {winner}").into(),
        expires_at: token
            .expires_at
            .saturating_add(Duration::from_secs(winner as u64)),
        version: 2,
        ..token
    };
    same(&ctx.driver().get(&wanted.id).await?, &wanted, "the token")
}

/// 100 tasks add a mark each to the data of one token. A conflict means that another task got on,
/// so none meets as many conflicts as there are tasks; each version is written once.
async fn concurrent_read_modify_replace_loses_nothing(ctx: Context) -> Check {
    const TASKS: u64 = 100;
    let token = ctx.record("ada")?.with_data("");
    let id = token.id;
    ctx.driver().create(token).await?;
    let calls = (0..TASKS).map(|number| add_mark(ctx.driver(), id, format!("<{number}>"), TASKS));
    let written = all_at_once(calls.collect()).await?;
    let written: BTreeMap<u64, String> = written.into_iter().collect();
    let versions: Vec<_> = written.keys().copied().collect();
    let wanted: Vec<_> = (2..=TASKS + 1).collect();
    same(&versions, &wanted, "the versions written")?;
    let last = ctx.driver().get(&id).await?;
    same(&last.version, &(TASKS + 1), "the last version")?;
    let marks: String = written.into_values().collect();
    same(&last.data, &Bytes::from(marks), "the marks, by version")
}

/// Adds a mark to the data of a token; gives the version that has it.
async fn add_mark(
    driver: Arc<dyn TokenDriver>,
    id: TokenId,
    mark: String,
    tries: u64,
) -> Check<(u64, String)> {
    for _ in 0..tries {
        let found = driver.get(&id).await?;
        let change = Replacement {
            id,
            expires_at: found.expires_at,
            data: [found.data.as_ref(), mark.as_bytes()].concat().into(),
        };
        match driver.replace(change, found.version).await {
            Ok(version) => {
                same(&version, &(found.version + 1), "the new version")?;
                return Ok((version, mark));
            }
            Err(error) => drop(fails(Err::<(), _>(error), Conflict, "a lost race")?),
        }
    }
    Err(Failure::new(format!(
        "{tries} conflicts with {tries} tasks in all"
    )))
}

/// How the token of a race with `replace` is revoked.
#[derive(Clone, Copy)]
enum Revocation {
    Delete,
    Bulk,
    Rotate,
}

async fn a_late_replace_never_revives_a_deleted_token(ctx: Context) -> Check {
    revocation_against_replace(&ctx, Revocation::Delete).await
}

async fn a_late_replace_never_revives_a_bulk_revoked_token(ctx: Context) -> Check {
    revocation_against_replace(&ctx, Revocation::Bulk).await
}

async fn a_late_replace_never_revives_a_rotated_token(ctx: Context) -> Check {
    revocation_against_replace(&ctx, Revocation::Rotate).await
}

/// What each successful replace adds to a token's life.
const EXTENSION: Duration = Duration::from_secs(60);

/// How often a token is replaced at most, should its revocation be slow to come.
const REPLACES: u32 = 2_000;

/// 40 tokens, each replaced on and on by one task until another, which waits until that is under way,
/// has revoked it.
async fn revocation_against_replace(ctx: &Context, how: Revocation) -> Check {
    let mut tokens = Vec::new();
    let mut calls = Vec::new();
    for number in 0..40 {
        let user = format!("user {number}");
        let token = ctx.stored(&user).await?;
        let successor = ctx.record("successor")?;
        let driver = ctx.driver();
        let under_way = Arc::new(Notify::new());
        let replacing =
            replace_on_and_on(Arc::clone(&driver), token.clone(), Arc::clone(&under_way));
        let (revoked, wait) = (token.clone(), under_way);
        let revoking = async move {
            wait.notified().await;
            revoke(driver, revoked, successor, how).await
        };
        calls.push(async move {
            let replacing = tokio::spawn(replacing);
            let revoking = tokio::spawn(revoking);
            let ended = |error| Failure::new(format!("a task ended early: {error}"));
            // The replacing task first: when it fails early, the other waits in vain.
            let replaces = replacing.await.map_err(ended)??;
            revoking.await.map_err(ended)??;
            Ok(replaces)
        });
        tokens.push(token);
    }
    let lives = all_at_once(calls).await?;
    let driver = ctx.driver();
    let feed = driver.list_all_revoked().await?;
    same(&feed.len(), &tokens.len(), "the length of the feed")?;
    for (token, replaces) in tokens.iter().zip(lives) {
        fails(driver.get(&token.id).await, NotFound, "get in the end")?;
        let filter = TokenFilter::new().with_user(&token.user_id)?;
        same(&driver.list_all(&filter).await?, &vec![], "list in the end")?;
        let shown = feed.iter().find(|shown| shown.id == token.id);
        let shown = shown.ok_or_else(|| Failure::new("the feed lacks a token"))?;
        let expiry = token.expires_at.saturating_add(EXTENSION * replaces);
        same(&shown.expires_at, &expiry, "the expiry that the feed shows")?;
    }
    ctx.advance(LIFETIME);
    extended_tokens_hold_their_ids(ctx, &tokens).await
}

/// A token that was extended and then revoked holds its id beyond its first expiry (R2); any other
/// does not.
async fn extended_tokens_hold_their_ids(ctx: &Context, tokens: &[TokenRecord]) -> Check {
    let held = ctx.driver().list_all_revoked().await?;
    for token in tokens {
        let record = TokenRecord {
            id: token.id,
            ..ctx.record("grace")?
        };
        let created = ctx.driver().create(record).await;
        if held.iter().any(|revoked| revoked.id == token.id) {
            fails(created, AlreadyExists, "create over a revoked token")?;
        } else {
            created?;
        }
    }
    Ok(())
}

/// Replaces a token, each time with a later expiry, until it is gone; gives how often.
async fn replace_on_and_on(
    driver: Arc<dyn TokenDriver>,
    token: TokenRecord,
    under_way: Arc<Notify>,
) -> Check<u32> {
    for replaces in 0..REPLACES {
        let change = Replacement {
            id: token.id,
            expires_at: token.expires_at.saturating_add(EXTENSION * (replaces + 1)),
            data: token.data.clone(),
        };
        if replaces > 0 {
            under_way.notify_one();
        }
        match driver.replace(change, u64::from(replaces) + 1).await {
            Ok(version) => same(&version, &(u64::from(replaces) + 2), "the new version")?,
            Err(error) => {
                fails(Err::<(), _>(error), NotFound, "a late replace")?;
                return Ok(replaces);
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(REPLACES)
}

/// Revokes a token, and sees that it is gone.
async fn revoke(
    driver: Arc<dyn TokenDriver>,
    token: TokenRecord,
    successor: TokenRecord,
    how: Revocation,
) -> Check {
    match how {
        Revocation::Delete => driver.delete(&token.id).await?,
        Revocation::Bulk => {
            let filter = TokenFilter::new().with_user(&token.user_id)?;
            let revoked = driver.delete_tokens(&filter).await?;
            same(&revoked, &vec![token.id], "what delete_tokens revoked")?;
        }
        Revocation::Rotate => {
            let rotation = driver.rotate(&token.id, successor).await?;
            ensure(
                rotation == Rotation::Rotated,
                "a first rotation was refused",
            )?;
        }
    }
    let found = driver.get(&token.id).await;
    fails(found, NotFound, "get after the revocation").map(drop)
}
