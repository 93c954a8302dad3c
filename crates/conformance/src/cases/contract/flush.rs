//! `flush_expired`: what has expired goes, and nothing else.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use tokenkeep_core::{Anchor, Flushed, Rotation, Timestamp, TokenRecord};

use crate::case::cases;
use crate::check::{Check, ensure, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{Driver, by, feed, ids, is_absent, is_active, listed};

cases! { Contract:
    flush_of_nothing_removes_nothing [R13],
    flush_removes_the_expired_and_keeps_the_rest [R13],
    flush_keeps_revoked_tokens_until_they_expire [R7 R13],
    flush_removes_expired_revoked_tokens [R13],
    flush_removes_what_was_created_expired [R1 R13],
    flush_keeps_to_its_limit [R13],
    flush_says_no_more_when_none_wait [R13],
    flush_of_more_than_its_limit_in_one_instant [R13],
    flush_takes_the_largest_limit [R13],
    flush_twice_removes_once [R13],
    flush_of_a_thousand_by_batches [R13],
    flush_frees_the_id [R2 R13],
    flush_keeps_the_living_in_every_index [R8 R13],
    flush_compares_instants_and_not_offsets [R13],
}

const ALL: NonZeroU32 = NonZeroU32::MAX;

async fn flush(driver: &Driver, limit: u32) -> Check<Flushed> {
    let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
    Ok(driver.flush_expired(limit).await?)
}

/// So many tokens that expire at the same instant, an hour from now.
async fn together(ctx: &Context, count: usize) -> Check<Vec<TokenRecord>> {
    let records = (0..count)
        .map(|_| ctx.record("ada"))
        .collect::<Check<Vec<_>>>()?;
    for answer in ctx.driver().create_many(records.clone()).await? {
        answer?;
    }
    Ok(records)
}

async fn flush_of_nothing_removes_nothing(ctx: Context) -> Check {
    let none = Flushed::default();
    same(
        &flush(&ctx.driver(), 10).await?,
        &none,
        "the flush of an empty store",
    )?;
    let record = ctx.stored_full("a").await?;
    same(
        &flush(&ctx.driver(), 10).await?,
        &none,
        "the flush of the living",
    )?;
    is_active(&ctx.driver(), &record).await
}

/// Keystone's own case: one that expired a minute ago, one valid.
async fn flush_removes_the_expired_and_keeps_the_rest(ctx: Context) -> Check {
    let expired = ctx.stored_full("a").await?;
    ctx.advance(LIFETIME);
    let valid = ctx.stored_full("a").await?;
    let wanted = Flushed {
        removed: 1,
        more: false,
    };
    same(&flush(&ctx.driver(), 10).await?, &wanted, "the flush")?;
    let answer = ctx.driver().get(&expired.id).await;
    ensure(answer.is_err(), "what was flushed is found")?;
    is_active(&ctx.driver(), &valid).await?;
    for anchor in Anchor::ALL {
        let value = anchor.of(&valid).map_or("", |value| value);
        let found = listed(&ctx.driver(), &by(anchor, value)?).await?;
        same(&found, &ids([&valid]), format!("listed by {anchor:?}"))?;
    }
    Ok(())
}

/// A revoked token keeps its id, its place in the feed and the answer to rotate.
async fn flush_keeps_revoked_tokens_until_they_expire(ctx: Context) -> Check {
    let deleted = ctx.stored("ada").await?;
    let rotated = ctx.stored("ada").await?;
    ctx.driver().delete(&deleted.id).await?;
    let successor = ctx.record("ada")?;
    ctx.driver().rotate(&rotated.id, successor.clone()).await?;
    let at = ctx.now();
    ctx.advance(LIFETIME - TICK);
    same(
        &flush(&ctx.driver(), 10).await?,
        &Flushed::default(),
        "the flush",
    )?;

    let wanted = vec![deleted.id, rotated.id];
    same(&feed(&ctx.driver()).await?, &wanted, "the feed")?;
    let used = Rotation::AlreadyUsed {
        at,
        successor: Some(successor.id),
    };
    let answer = ctx.driver().rotate(&rotated.id, ctx.record("ada")?).await?;
    same(&answer, &used, "rotate of a used token")?;
    let answer = ctx.driver().create(deleted).await;
    ensure(answer.is_err(), "a flush freed the id of a revoked token")
}

async fn flush_removes_expired_revoked_tokens(ctx: Context) -> Check {
    let deleted = ctx.stored("ada").await?;
    let rotated = ctx.stored("ada").await?;
    ctx.driver().delete(&deleted.id).await?;
    ctx.driver().rotate(&rotated.id, ctx.record("ada")?).await?;
    ctx.advance(LIFETIME);
    same(
        &flush(&ctx.driver(), 10).await?.removed,
        &3,
        "what was removed",
    )?;
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

async fn flush_removes_what_was_created_expired(ctx: Context) -> Check {
    let mut record = ctx.full_record("a")?;
    record.expires_at = ctx.now().saturating_sub(LIFETIME);
    ctx.driver().create(record.clone()).await?;
    let removed = flush(&ctx.driver(), 10).await?.removed;
    // A driver may also not store it at all.
    ensure(removed <= 1, format!("{removed} tokens were removed"))?;
    same(
        &flush(&ctx.driver(), 10).await?,
        &Flushed::default(),
        "the second flush",
    )?;
    is_absent(&ctx.driver(), &record).await
}

async fn flush_keeps_to_its_limit(ctx: Context) -> Check {
    for step in 0..10 {
        let mut record = ctx.record("ada")?;
        record.expires_at = ctx.now().saturating_add(TICK * step);
        ctx.driver().create(record).await?;
    }
    ctx.advance(LIFETIME);
    for (removed, more) in [(4, true), (4, true), (2, false), (0, false)] {
        let wanted = Flushed { removed, more };
        same(
            &flush(&ctx.driver(), 4).await?,
            &wanted,
            "a flush of at most 4",
        )?;
    }
    Ok(())
}

/// As many as the limit wait, and then none, though the living are many.
async fn flush_says_no_more_when_none_wait(ctx: Context) -> Check {
    together(&ctx, 4).await?;
    ctx.advance(LIFETIME);
    let living = together(&ctx, 4).await?;
    let wanted = Flushed {
        removed: 4,
        more: false,
    };
    same(&flush(&ctx.driver(), 4).await?, &wanted, "the flush")?;
    let found = listed(&ctx.driver(), &by(Anchor::User, "ada")?).await?;
    same(&found, &ids(&living), "the living")
}

/// A batch that is cut by expiry alone stops here, or takes too many.
async fn flush_of_more_than_its_limit_in_one_instant(ctx: Context) -> Check {
    together(&ctx, 25).await?;
    ctx.advance(LIFETIME);
    for (removed, more) in [(10, true), (10, true), (5, false)] {
        let wanted = Flushed { removed, more };
        same(
            &flush(&ctx.driver(), 10).await?,
            &wanted,
            "a flush of at most 10",
        )?;
    }
    Ok(())
}

async fn flush_takes_the_largest_limit(ctx: Context) -> Check {
    together(&ctx, 3).await?;
    ctx.advance(LIFETIME);
    let wanted = Flushed {
        removed: 3,
        more: false,
    };
    same(
        &ctx.driver().flush_expired(ALL).await?,
        &wanted,
        "the flush",
    )
}

async fn flush_twice_removes_once(ctx: Context) -> Check {
    together(&ctx, 3).await?;
    ctx.advance(LIFETIME);
    same(
        &flush(&ctx.driver(), 10).await?.removed,
        &3,
        "the first flush",
    )?;
    same(
        &flush(&ctx.driver(), 10).await?,
        &Flushed::default(),
        "the second flush",
    )
}

async fn flush_of_a_thousand_by_batches(ctx: Context) -> Check {
    together(&ctx, 1_000).await?;
    ctx.advance(LIFETIME);
    let living = ctx.stored("ada").await?;
    let mut removed = 0;
    for _ in 0..10 {
        let flushed = flush(&ctx.driver(), 99).await?;
        same(&flushed.removed, &99, "what a full batch removed")?;
        ensure(flushed.more, "a flush says that none wait while some do")?;
        removed += flushed.removed;
    }
    removed += flush(&ctx.driver(), 99).await?.removed;
    same(&removed, &1_000, "what was removed by batches")?;
    is_active(&ctx.driver(), &living).await
}

async fn flush_frees_the_id(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    ctx.driver().delete(&first.id).await?;
    ctx.advance(LIFETIME);
    flush(&ctx.driver(), 10).await?;
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    ctx.driver().create(second.clone()).await?;
    is_active(&ctx.driver(), &second).await?;
    same(
        &flush(&ctx.driver(), 10).await?,
        &Flushed::default(),
        "the next flush",
    )
}

async fn flush_keeps_the_living_in_every_index(ctx: Context) -> Check {
    for anchor in Anchor::ALL {
        let tag = format!("{anchor:?}");
        ctx.stored_full(&tag).await?;
        ctx.advance(LIFETIME / 2);
        let living = ctx.stored_full(&tag).await?;
        ctx.advance(LIFETIME / 2);
        flush(&ctx.driver(), 10).await?;
        is_active(&ctx.driver(), &living).await?;
        let value = anchor.of(&living).map_or("", |value| value);
        let revoked = ctx.driver().delete_tokens(&by(anchor, value)?).await?;
        same(&revoked, &vec![living.id], format!("revoked by {anchor:?}"))?;
    }
    Ok(())
}

/// An expiry is an instant: written with other offsets it is the same one.
async fn flush_compares_instants_and_not_offsets(ctx: Context) -> Check {
    let expiries = [
        "2031-06-01T12:00:00+00:00",
        "2031-06-02T02:00:00+14:00",
        "2031-06-01T00:00:00-12:00",
        "2031-06-01T17:30:00+05:30",
    ];
    let mut expected = BTreeSet::new();
    for expiry in expiries {
        let mut record = ctx.record("ada")?;
        record.expires_at = expiry.parse::<Timestamp>()?;
        ctx.driver().create(record.clone()).await?;
        expected.insert(record.id);
    }
    ctx.clock.set("2031-06-01T11:00:00Z".parse()?);
    same(
        &flush(&ctx.driver(), 10).await?,
        &Flushed::default(),
        "an hour early",
    )?;
    let found = listed(&ctx.driver(), &by(Anchor::User, "ada")?).await?;
    same(&found, &expected, "the listing an hour early")?;
    ctx.clock.set("2031-06-01T13:00:00Z".parse()?);
    same(&flush(&ctx.driver(), 10).await?.removed, &4, "an hour late")
}
