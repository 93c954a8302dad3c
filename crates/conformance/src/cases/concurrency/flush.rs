//! `flush_expired` beside itself and beside load.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::ErrorKind::{AlreadyExists, NotFound};
use tokenkeep_core::{
    Error, Replacement, Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenRecord,
};

use super::at_once::{all_at_once, at_once};
use crate::case::cases;
use crate::check::{Check, Failure, ensure, fails, same};
use crate::context::{Context, LIFETIME, TICK};

cases! { Concurrency:
    concurrent_flushes_remove_each_expired_token_once [R13],
    flush_beside_load_leaves_the_unexpired [R13],
    ten_nodes_flush_beside_load [R4 R13],
    ids_created_anew_beside_a_flush_are_kept [R2 R13],
    tokens_extended_beside_a_flush_are_kept [R11 R13],
}

/// Flushes until nothing is left, in batches of this length; gives how many tokens went.
async fn flush(driver: Arc<dyn TokenDriver>, limit: u32) -> Check<u64> {
    let limit = NonZeroU32::new(limit).ok_or_else(|| Failure::new("a flush of nothing"))?;
    let mut removed = 0;
    loop {
        let flushed = driver.flush_expired(limit).await?;
        ensure(
            flushed.removed <= u64::from(limit.get()),
            "a flush removed more than its limit",
        )?;
        removed += flushed.removed;
        if !flushed.more {
            return Ok(removed);
        }
        tokio::task::yield_now().await;
    }
}

/// Stores so many tokens for a user.
async fn store(ctx: &Context, user: &str, count: usize) -> Check<Vec<TokenRecord>> {
    let records: Check<Vec<_>> = (0..count).map(|_| ctx.record(user)).collect();
    let records = records?;
    for answer in ctx.driver().create_many(records.clone()).await? {
        answer?;
    }
    Ok(records)
}

async fn concurrent_flushes_remove_each_expired_token_once(ctx: Context) -> Check {
    const EXPIRED: usize = 500;
    let expired = store(&ctx, "ada", EXPIRED).await?;
    for token in expired.iter().step_by(3) {
        ctx.driver().delete(&token.id).await?;
    }
    ctx.advance(LIFETIME);
    let kept = store(&ctx, "ada", 20).await?;
    let flushes = [1, 3, 7, 7, 20, 20, 50, 50, 100, 100, 1_000, 1_000];
    let flushes = flushes.map(|limit| flush(ctx.driver(), limit));
    let removed: u64 = all_at_once(flushes.into()).await?.into_iter().sum();
    // A flush that saw no more may have looked while another had its hands on the last ones.
    let rest = flush(ctx.driver(), 1_000).await?;
    same(&(removed + rest), &(EXPIRED as u64), "how many tokens went")?;
    same(&flush(ctx.driver(), 1_000).await?, &0, "a flush of nothing")?;
    for token in kept {
        same(&ctx.driver().get(&token.id).await?, &token, "a kept token")?;
    }
    Ok(())
}

/// Beside the flushes everything else goes on as if they were not there, and what has not expired
/// is kept: active tokens, and revoked ones, which hold their ids and stand in the feed.
async fn flush_beside_load_leaves_the_unexpired(ctx: Context) -> Check {
    let nodes = vec![ctx.driver(); 3];
    flush_beside_load(&ctx, &nodes).await
}

/// Each node has a handle of its own, and knows nothing of what the others remove.
async fn ten_nodes_flush_beside_load(ctx: Context) -> Check {
    let mut nodes = Vec::new();
    for _ in 0..10 {
        nodes.push(ctx.store.second_handle().await?);
    }
    flush_beside_load(&ctx, &nodes).await
}

async fn flush_beside_load(ctx: &Context, nodes: &[Arc<dyn TokenDriver>]) -> Check {
    const EXPIRED: usize = 400;
    store(ctx, "ada", EXPIRED).await?;
    ctx.advance(LIFETIME - TICK);
    let active = store(ctx, "ada", 60).await?;
    let revoked = store(ctx, "ada", 60).await?;
    for token in &revoked {
        ctx.driver().delete(&token.id).await?;
    }
    ctx.advance(TICK);
    let flushes: Vec<_> = nodes
        .iter()
        .zip([2, 5, 10].into_iter().cycle())
        .map(|(node, limit)| tokio::spawn(flush(Arc::clone(node), limit)))
        .collect();
    let mut load = Vec::new();
    for number in 0..4 {
        let records: Check<Vec<_>> = (0..40).map(|_| ctx.record("grace")).collect();
        let active = active.iter().skip(number * 15).take(15).cloned().collect();
        load.push(live(
            Arc::clone(&nodes[number % nodes.len()]),
            records?,
            active,
        ));
    }
    all_at_once(load).await?;
    let mut removed = 0;
    for flush in flushes {
        removed += flush
            .await
            .map_err(|error| Failure::new(format!("a flush ended early: {error}")))??;
    }
    removed += flush(ctx.driver(), 1_000).await?;
    same(&removed, &(EXPIRED as u64), "how many tokens went")?;
    let driver = ctx.driver();
    let feed = driver.list_all_revoked().await?;
    let feed: BTreeSet<_> = feed.iter().map(|token| token.id).collect();
    for token in revoked {
        ensure(
            feed.contains(&token.id),
            "the feed lacks an unexpired token",
        )?;
        let again = driver.create(token).await;
        fails(again, AlreadyExists, "create over an unexpired token")?;
    }
    let ada = TokenFilter::new().with_user("ada")?;
    let left = driver.delete_tokens(&ada).await?;
    same(&left.len(), &active.len(), "how many old tokens are active")
}

/// The life of tokens, by fours, and looks at some that live on.
async fn live(
    driver: Arc<dyn TokenDriver>,
    fresh: Vec<TokenRecord>,
    active: Vec<TokenRecord>,
) -> Check {
    for (number, four) in fresh.chunks(4).enumerate() {
        driver.create(four[0].clone()).await?;
        driver.create(four[1].clone()).await?;
        same(&driver.get(&four[0].id).await?, &four[0], "a new token")?;
        let rotation = driver.rotate(&four[0].id, four[2].clone()).await?;
        ensure(
            rotation == Rotation::Rotated,
            "a first rotation was refused",
        )?;
        driver.delete(&four[1].id).await?;
        let gone = driver.get(&four[1].id).await;
        fails(gone, NotFound, "get of a deleted token")?;
        let token = &active[number % active.len()];
        same(&driver.get(&token.id).await?, token, "an old token")?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Nothing of a new token goes with the expired one whose id it has: not the record, not an index
/// entry, not its place among those that will expire.
async fn ids_created_anew_beside_a_flush_are_kept(ctx: Context) -> Check {
    const TOKENS: usize = 150;
    let old = store(&ctx, "ada", TOKENS).await?;
    for token in old.iter().step_by(2) {
        ctx.driver().delete(&token.id).await?;
    }
    ctx.advance(LIFETIME);
    let mut anew = Vec::new();
    for token in &old {
        let record = ctx.record("grace")?.with_tenant("engines")?;
        anew.push(TokenRecord {
            id: token.id,
            ..record
        });
    }
    let flushes = [1, 4, 16].map(|limit| tokio::spawn(flush(ctx.driver(), limit)));
    let creates = anew.iter().cloned().map(|record| {
        let driver = ctx.driver();
        async move { driver.create(record).await }
    });
    let created: Result<Vec<()>, Error> = at_once(creates.collect()).await?.into_iter().collect();
    created?;
    let mut removed = 0;
    for flush in flushes {
        removed += flush
            .await
            .map_err(|error| Failure::new(format!("a flush ended early: {error}")))??;
    }
    removed += flush(ctx.driver(), 1_000).await?;
    ensure(
        removed <= TOKENS as u64,
        format!("{removed} tokens went of {TOKENS} that had expired"),
    )?;
    let driver = ctx.driver();
    for token in &anew {
        same(&driver.get(&token.id).await?, token, "a new token")?;
    }
    let ada = TokenFilter::new().with_user("ada")?;
    same(&driver.list_all(&ada).await?, &vec![], "the old user")?;
    let engines = TokenFilter::new().with_tenant("engines")?;
    let listed = driver.list_all(&engines).await?.len();
    same(&listed, &TOKENS, "how many new tokens are listed")?;
    same(&driver.list_all_revoked().await?, &vec![], "the feed")?;
    let revoked = driver.delete_tokens(&engines).await?.len();
    same(&revoked, &TOKENS, "how many new tokens were revoked")?;
    ctx.advance(LIFETIME);
    let removed = flush(ctx.driver(), 1_000).await?;
    same(&removed, &(TOKENS as u64), "how many tokens went at last")
}

/// The clock passes the tokens' expiry while they are extended and flushed: one that was extended
/// lives on, one whose extension came too late does not.
async fn tokens_extended_beside_a_flush_are_kept(ctx: Context) -> Check {
    const TOKENS: usize = 150;
    let tokens = store(&ctx, "ada", TOKENS).await?;
    ctx.advance(LIFETIME - TICK);
    let clock = Arc::clone(&ctx.clock);
    let mut calls = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        let (driver, clock) = (ctx.driver(), Arc::clone(&clock));
        let change = Replacement {
            id: token.id,
            expires_at: token.expires_at.saturating_add(Duration::from_secs(60)),
            data: token.data.clone(),
        };
        calls.push(async move {
            if number == TOKENS / 2 {
                clock.advance(TICK);
            }
            let extended = driver.replace(change, 1).await;
            flush(driver, 5).await?;
            Ok(extended)
        });
    }
    let answers = all_at_once(calls).await?;
    let mut extended = 0;
    for (token, answer) in tokens.iter().zip(answers) {
        let found = ctx.driver().get(&token.id).await;
        match answer {
            Ok(version) => {
                same(&version, &2, "the new version")?;
                same(&found?.version, &2, "the version of an extended token")?;
                extended += 1;
            }
            Err(error) => {
                fails(Err::<(), _>(error), NotFound, "an extension too late")?;
                fails(found, NotFound, "get of an expired token")?;
            }
        }
    }
    let ada = TokenFilter::new().with_user("ada")?;
    let listed = ctx.driver().list_all(&ada).await?.len();
    same(&listed, &extended, "how many tokens live on")?;
    ctx.advance(Duration::from_secs(60));
    let removed = flush(ctx.driver(), 1_000).await?;
    same(&removed, &(extended as u64), "how many tokens went at last")
}
