//! Futures that are dropped halfway: the call has wholly happened or not happened.
//!
//! A dropped call may still be under way in the store, so each case makes a call afterwards that
//! settles what became of it, instead of waiting.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokenkeep_core::ErrorKind::{AlreadyExists, Conflict, NotFound};
use tokenkeep_core::{
    PageRequest, Replacement, Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenRecord,
};

use super::at_once::all_at_once;
use super::cut::cut;
use crate::case::cases;
use crate::check::{Check, Failure, ensure, fails, same};
use crate::context::{Context, LIFETIME};

cases! { Concurrency:
    a_dropped_create_is_whole_or_nothing [R17],
    a_dropped_create_many_is_whole_or_nothing_for_each [R14 R17],
    a_dropped_delete_is_whole_or_nothing [R17],
    a_dropped_delete_tokens_can_be_repeated [R8 R17],
    a_dropped_replace_is_whole_or_nothing [R11 R17],
    a_dropped_rotate_is_whole_or_nothing [R12 R17],
    dropped_reads_and_flushes_harm_nothing [R13 R17],
}

/// How many calls are dropped in a case, one task each, all at once.
const CALLS: u32 = 60;

/// Drops the calls of the tasks after one poll, after two, and so on.
const fn polls(number: u32) -> u32 {
    1 + number % 12
}

/// A token that differs from [`Context::record`]'s in everything that `list` goes by.
fn whole(ctx: &Context, number: u32) -> Check<TokenRecord> {
    let user = format!("user {number}");
    Ok(ctx
        .record(&user)?
        .with_tenant("engines")?
        .with_trust("trust")?)
}

/// Checks that what the store has of a token's id is this record and nothing else, wherever one
/// looks.
async fn is_whole(driver: &Arc<dyn TokenDriver>, record: &TokenRecord) -> Check {
    same(&driver.get(&record.id).await?, record, "the record")?;
    let user = TokenFilter::new().with_user(&record.user_id)?;
    let one = vec![record.clone()];
    same(&driver.list_all(&user).await?, &one, "the user's tokens")?;
    if let Some(tenant) = &record.tenant_id {
        let tenant = TokenFilter::new().with_tenant(tenant)?;
        let found = driver.list_all(&tenant).await?;
        ensure(found.contains(record), "the tenant's tokens lack the token")?;
    }
    Ok(())
}

async fn a_dropped_create_is_whole_or_nothing(ctx: Context) -> Check {
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let (driver, record) = (ctx.driver(), whole(&ctx, number)?);
        let other = TokenRecord {
            id: record.id,
            ..ctx.record(&format!("other {number}"))?
        };
        calls.push(async move {
            cut(driver.create(record.clone()), polls(number)).await;
            settled_create(&driver, record, other).await
        });
    }
    all_at_once(calls).await.map(drop)
}

/// Creates another token with the id of one whose creation was dropped: then it is clear which of
/// them there is.
async fn settled_create(
    driver: &Arc<dyn TokenDriver>,
    dropped: TokenRecord,
    other: TokenRecord,
) -> Check {
    let (there, absent) = match driver.create(other.clone()).await {
        Ok(()) => (other, dropped),
        Err(error) => {
            fails(Err::<(), _>(error), AlreadyExists, "create afterwards")?;
            (dropped, other)
        }
    };
    is_whole(driver, &there).await?;
    let absent = TokenFilter::new().with_user(&absent.user_id)?;
    same(&driver.list_all(&absent).await?, &vec![], "the other user")
}

async fn a_dropped_create_many_is_whole_or_nothing_for_each(ctx: Context) -> Check {
    let mut calls = Vec::new();
    for number in 0..CALLS / 4 {
        let mut batch = Vec::new();
        let mut others = Vec::new();
        for place in 0..4 {
            let record = whole(&ctx, number * 4 + place)?;
            let other = ctx.record(&format!("other {number} {place}"))?;
            let id = record.id;
            others.push(TokenRecord { id, ..other });
            batch.push(record);
        }
        let driver = ctx.driver();
        calls.push(async move {
            cut(driver.create_many(batch.clone()), polls(number)).await;
            for (dropped, other) in batch.into_iter().zip(others) {
                settled_create(&driver, dropped, other).await?;
            }
            Ok(())
        });
    }
    all_at_once(calls).await.map(drop)
}

async fn a_dropped_delete_is_whole_or_nothing(ctx: Context) -> Check {
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let record = whole(&ctx, number)?;
        ctx.driver().create(record.clone()).await?;
        let driver = ctx.driver();
        calls.push(async move {
            cut(driver.delete(&record.id), polls(number)).await;
            match driver.get(&record.id).await {
                Ok(found) => same(&found, &record, "a token not deleted yet")?,
                Err(error) => drop(fails(Err::<(), _>(error), NotFound, "a deleted token")?),
            }
            if let Err(error) = driver.delete(&record.id).await {
                fails(Err::<(), _>(error), NotFound, "delete afterwards")?;
            }
            let found = driver.get(&record.id).await;
            fails(found, NotFound, "get in the end").map(drop)
        });
    }
    all_at_once(calls).await?;
    all_revoked_once(&ctx, CALLS).await
}

/// Checks that nothing of tenant `engines` is active, and that the feed has so many tokens, each
/// once.
async fn all_revoked_once(ctx: &Context, count: u32) -> Check {
    let engines = TokenFilter::new().with_tenant("engines")?;
    let active = ctx.driver().list_all(&engines).await?;
    same(&active, &vec![], "the active tokens in the end")?;
    let feed = ctx.driver().list_all_revoked().await?;
    let mut ids: Vec<_> = feed.iter().map(|token| token.id).collect();
    ids.sort();
    ids.dedup();
    same(&feed.len(), &(count as usize), "the length of the feed")?;
    same(&ids.len(), &feed.len(), "how many tokens the feed has")
}

async fn a_dropped_delete_tokens_can_be_repeated(ctx: Context) -> Check {
    let mut calls = Vec::new();
    for number in 0..CALLS / 4 {
        let user = format!("user {number}");
        for _ in 0..4 {
            let record = ctx.record(&user)?.with_tenant("engines")?;
            ctx.driver().create(record).await?;
        }
        let (driver, filter) = (ctx.driver(), TokenFilter::new().with_user(&user)?);
        calls.push(async move {
            cut(driver.delete_tokens(&filter), polls(number)).await;
            driver.delete_tokens(&filter).await?;
            same(
                &driver.list_all(&filter).await?,
                &vec![],
                "the user's tokens",
            )
        });
    }
    all_at_once(calls).await?;
    all_revoked_once(&ctx, CALLS).await
}

/// Version, data and expiry always belong together.
async fn a_dropped_replace_is_whole_or_nothing(ctx: Context) -> Check {
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let (driver, first) = (ctx.driver(), whole(&ctx, number)?);
        driver.create(first.clone()).await?;
        let replaced = |by: &'static str, version| TokenRecord {
            data: by.into(),
            expires_at: first.expires_at.saturating_add(LIFETIME * version),
            version: u64::from(version),
            ..first.clone()
        };
        let (dropped, second, third) = (
            replaced("dropped", 2),
            replaced("afterwards", 2),
            replaced("afterwards", 3),
        );
        calls.push(async move {
            cut(driver.replace(change(&dropped), 1), polls(number)).await;
            match driver.replace(change(&second), 1).await {
                Ok(version) => {
                    same(&version, &2, "the version afterwards")?;
                    is_whole(&driver, &second).await
                }
                Err(error) => {
                    fails(Err::<(), _>(error), Conflict, "replace afterwards")?;
                    is_whole(&driver, &dropped).await?;
                    driver.replace(change(&third), 2).await?;
                    is_whole(&driver, &third).await
                }
            }
        });
    }
    all_at_once(calls).await.map(drop)
}

fn change(record: &TokenRecord) -> Replacement {
    Replacement {
        id: record.id,
        expires_at: record.expires_at,
        data: record.data.clone(),
    }
}

/// An old token that is revoked has its successor; in the end bulk revocation leaves nothing.
async fn a_dropped_rotate_is_whole_or_nothing(ctx: Context) -> Check {
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let (driver, old) = (ctx.driver(), whole(&ctx, number)?);
        let dropped = TokenRecord {
            user_id: old.user_id.clone(),
            ..whole(&ctx, number)?
        };
        let other = whole(&ctx, number)?;
        driver.create(old.clone()).await?;
        calls.push(async move {
            cut(driver.rotate(&old.id, dropped.clone()), polls(number)).await;
            let there = match driver.rotate(&old.id, other.clone()).await? {
                Rotation::Rotated => other,
                Rotation::AlreadyUsed { successor, .. } => {
                    same(&successor, &Some(dropped.id), "the successor on record")?;
                    let found = driver.get(&other.id).await;
                    fails(found, NotFound, "get of a refused successor")?;
                    dropped.clone()
                }
            };
            same(&driver.get(&there.id).await?, &there, "the successor")?;
            let found = driver.get(&old.id).await;
            fails(found, NotFound, "get of the old token")?;
            let user = TokenFilter::new().with_user(&old.user_id)?;
            let revoked = driver.delete_tokens(&user).await?;
            ensure(revoked.contains(&there.id), "bulk revocation missed it")?;
            same(&driver.list_all(&user).await?, &vec![], "the user's tokens")?;
            let found = driver.get(&dropped.id).await;
            fails(found, NotFound, "get in the end").map(drop)
        });
    }
    all_at_once(calls).await.map(drop)
}

/// After many dropped calls the store still answers, and no connection or place in a queue is lost.
async fn dropped_reads_and_flushes_harm_nothing(ctx: Context) -> Check {
    const EXPIRED: u32 = 100;
    for _ in 0..EXPIRED {
        ctx.stored("ada").await?;
    }
    ctx.advance(LIFETIME);
    let kept = whole(&ctx, 0)?;
    ctx.driver().create(kept.clone()).await?;
    let five = NonZeroU32::new(5).ok_or_else(|| Failure::new("five is zero"))?;
    let calls = (0..CALLS * 2).map(|number| {
        let (driver, kept) = (ctx.driver(), kept.clone());
        async move {
            let (filter, page) = (
                TokenFilter::new().with_trust("trust")?,
                PageRequest::default(),
            );
            match number % 5 {
                0 => drop(cut(driver.get(&kept.id), polls(number / 5)).await),
                1 => drop(cut(driver.list(&filter, &page), polls(number / 5)).await),
                2 => drop(cut(driver.list_revoked(&page), polls(number / 5)).await),
                3 => drop(cut(driver.flush_expired(five), polls(number / 5)).await),
                _ => drop(cut(driver.check(), polls(number / 5)).await),
            }
            same(&driver.get(&kept.id).await?, &kept, "the token beside")
        }
    });
    all_at_once(calls.collect()).await?;
    let driver = ctx.driver();
    driver.flush_all_expired(five).await?;
    is_whole(&driver, &kept).await?;
    driver.check().await?;
    for number in 1..20 {
        let record = whole(&ctx, number)?;
        driver.create(record.clone()).await?;
        is_whole(&driver, &record).await?;
    }
    Ok(())
}
