//! Expired is absent: at `expires_at` exactly, and in every method.

use std::num::NonZeroU32;

use tokenkeep_core::ErrorKind::NotFound;
use tokenkeep_core::{Flushed, Replacement, Rotation, TokenRecord};

use crate::case::cases;
use crate::check::{Check, ensure, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{by_each_anchor, feed, is_absent, is_active, listed};

cases! { Contract:
    get_at_expiry_is_not_found [R1 R5],
    delete_at_expiry_is_not_found [R1 R6],
    delete_tokens_at_expiry_finds_nothing [R1 R8],
    list_at_expiry_is_empty [R1 R9],
    list_revoked_at_expiry_is_empty [R1 R10],
    replace_at_expiry_is_not_found [R1 R11],
    rotate_at_expiry_is_not_found [R1 R12],
    rotate_of_a_used_token_at_expiry_is_not_found [R1 R12],
    create_at_expiry_succeeds [R1 R2],
    create_many_at_expiry_succeeds [R1 R14],
    flush_at_expiry_removes [R1 R13],
    expiries_a_tick_apart_are_apart [R1],
    expiry_hides_without_a_flush [R1],
    an_expiry_in_a_past_century_is_judged_by_the_clock [R1],
    an_expiry_in_the_next_century_is_judged_by_the_clock [R1],
}

const ONE: NonZeroU32 = NonZeroU32::MIN;

/// A stored token, and the clock a tick before its expiry.
async fn about_to_expire(ctx: &Context) -> Check<TokenRecord> {
    let record = ctx.stored_full("a").await?;
    ctx.advance(LIFETIME - TICK);
    Ok(record)
}

async fn get_at_expiry_is_not_found(ctx: Context) -> Check {
    let record = about_to_expire(&ctx).await?;
    ctx.driver().get(&record.id).await?;
    ctx.advance(TICK);
    let answer = ctx.driver().get(&record.id).await;
    fails(answer, NotFound, "get at expiry")?;
    ctx.advance(TICK);
    let answer = ctx.driver().get(&record.id).await;
    fails(answer, NotFound, "get after expiry")?;
    Ok(())
}

async fn delete_at_expiry_is_not_found(ctx: Context) -> Check {
    let early = about_to_expire(&ctx).await?;
    let mut late = ctx.record("ada")?;
    late.expires_at = early.expires_at;
    ctx.driver().create(late.clone()).await?;
    ctx.driver().delete(&early.id).await?;
    ctx.advance(TICK);
    let answer = ctx.driver().delete(&late.id).await;
    fails(answer, NotFound, "delete at expiry")?;
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

async fn delete_tokens_at_expiry_finds_nothing(ctx: Context) -> Check {
    let record = about_to_expire(&ctx).await?;
    ctx.advance(TICK);
    for filter in by_each_anchor(&record)? {
        let revoked = ctx.driver().delete_tokens(&filter).await?;
        same(&revoked, &vec![], "what delete_tokens revoked at expiry")?;
    }
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

async fn list_at_expiry_is_empty(ctx: Context) -> Check {
    let record = about_to_expire(&ctx).await?;
    is_active(&ctx.driver(), &record).await?;
    ctx.advance(TICK);
    for filter in by_each_anchor(&record)? {
        let found = listed(&ctx.driver(), &filter).await?;
        ensure(found.is_empty(), format!("listed at expiry by {filter:?}"))?;
    }
    Ok(())
}

async fn list_revoked_at_expiry_is_empty(ctx: Context) -> Check {
    let record = about_to_expire(&ctx).await?;
    ctx.driver().delete(&record.id).await?;
    let before = feed(&ctx.driver()).await?;
    same(&before, &vec![record.id], "the feed a tick before expiry")?;
    ctx.advance(TICK);
    same(&feed(&ctx.driver()).await?, &vec![], "the feed at expiry")
}

async fn replace_at_expiry_is_not_found(ctx: Context) -> Check {
    let record = about_to_expire(&ctx).await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at,
        data: record.data.clone(),
    };
    ctx.driver().replace(change.clone(), 1).await?;
    ctx.advance(TICK);
    let later = Replacement {
        expires_at: ctx.now().saturating_add(LIFETIME),
        ..change
    };
    for version in [1, 2] {
        let answer = ctx.driver().replace(later.clone(), version).await;
        fails(
            answer,
            NotFound,
            format!("replace of version {version} at expiry"),
        )?;
    }
    is_absent(&ctx.driver(), &record).await
}

async fn rotate_at_expiry_is_not_found(ctx: Context) -> Check {
    let old = about_to_expire(&ctx).await?;
    ctx.advance(TICK);
    let successor = ctx.full_record("b")?;
    let answer = ctx.driver().rotate(&old.id, successor.clone()).await;
    fails(answer, NotFound, "rotate at expiry")?;
    is_absent(&ctx.driver(), &successor).await
}

/// What became of a token is forgotten when it expires.
async fn rotate_of_a_used_token_at_expiry_is_not_found(ctx: Context) -> Check {
    let old = about_to_expire(&ctx).await?;
    let successor = ctx.full_record("b")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    let used = Rotation::AlreadyUsed {
        at: ctx.now(),
        successor: Some(successor.id),
    };
    let answer = ctx.driver().rotate(&old.id, ctx.record("c")?).await?;
    same(&answer, &used, "rotate a tick before expiry")?;
    ctx.advance(TICK);
    let answer = ctx.driver().rotate(&old.id, ctx.record("c")?).await;
    fails(answer, NotFound, "rotate of a used token at expiry")?;
    Ok(())
}

async fn create_at_expiry_succeeds(ctx: Context) -> Check {
    let mut record = about_to_expire(&ctx).await?;
    ctx.advance(TICK);
    record.expires_at = ctx.now().saturating_add(LIFETIME);
    ctx.driver().create(record.clone()).await?;
    is_active(&ctx.driver(), &record).await
}

async fn create_many_at_expiry_succeeds(ctx: Context) -> Check {
    let mut record = about_to_expire(&ctx).await?;
    ctx.advance(TICK);
    record.expires_at = ctx.now().saturating_add(LIFETIME);
    for answer in ctx.driver().create_many(vec![record.clone()]).await? {
        answer?;
    }
    is_active(&ctx.driver(), &record).await
}

async fn flush_at_expiry_removes(ctx: Context) -> Check {
    about_to_expire(&ctx).await?;
    let flushed = ctx.driver().flush_expired(ONE).await?;
    same(
        &flushed,
        &Flushed::default(),
        "a flush a tick before expiry",
    )?;
    ctx.advance(TICK);
    let flushed = ctx.driver().flush_expired(ONE).await?;
    let wanted = Flushed {
        removed: 1,
        more: false,
    };
    same(&flushed, &wanted, "a flush at expiry")
}

/// Whole microseconds count: a store that rounds them loses or keeps the wrong token.
async fn expiries_a_tick_apart_are_apart(ctx: Context) -> Check {
    let base = ctx.now().saturating_add(LIFETIME);
    let mut records = Vec::new();
    for step in 0..5 {
        let mut record = ctx.record("ada")?;
        record.expires_at = base.saturating_add(TICK * step);
        ctx.driver().create(record.clone()).await?;
        records.push(record);
    }
    ctx.clock.set(base.saturating_sub(TICK));
    for expired in 0..=records.len() {
        for (number, record) in records.iter().enumerate() {
            let active = ctx.driver().get(&record.id).await.is_ok();
            let what = format!("token {number} active after {expired} expired");
            same(&active, &(number >= expired), what)?;
        }
        ctx.advance(TICK);
    }
    Ok(())
}

async fn expiry_hides_without_a_flush(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.advance(LIFETIME * 1_000);
    is_absent(&ctx.driver(), &record).await
}

/// The clock stands in 1999: by the machine's own time the token expired long ago.
async fn an_expiry_in_a_past_century_is_judged_by_the_clock(ctx: Context) -> Check {
    ctx.clock.set("1999-12-31T23:30:00.000001Z".parse()?);
    active_until_its_expiry(ctx).await
}

/// The clock stands in 2199: by the machine's own time the token is valid for long.
async fn an_expiry_in_the_next_century_is_judged_by_the_clock(ctx: Context) -> Check {
    ctx.clock.set("2199-12-31T23:30:00.000001Z".parse()?);
    active_until_its_expiry(ctx).await
}

async fn active_until_its_expiry(ctx: Context) -> Check {
    let record = about_to_expire(&ctx).await?;
    is_active(&ctx.driver(), &record).await?;
    let flushed = ctx.driver().flush_expired(ONE).await?;
    same(&flushed.removed, &0, "what a flush removed too early")?;
    ctx.advance(TICK);
    is_absent(&ctx.driver(), &record).await?;
    let flushed = ctx.driver().flush_expired(ONE).await?;
    same(&flushed.removed, &1, "what a flush removed")
}
