//! The order of revocation goes on where it ended.

use std::num::NonZeroU32;

use tokenkeep_core::TokenId;

use super::End;
use crate::case::cases;
use crate::check::{Check, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{feed, feed_after};

cases! { Durability:
    the_feed_keeps_its_order_over_a_kill [R10 R15],
    the_feed_keeps_its_order_over_a_reopen [R10 R15],
    a_feed_cursor_resumes_after_a_kill [R10 R15],
    a_feed_cursor_resumes_after_a_reopen [R10 R15],
    the_order_goes_on_after_a_kill_when_all_was_flushed [R10 R13 R15],
    the_order_goes_on_after_a_reopen_when_all_was_flushed [R10 R13 R15],
}

/// Creates and revokes so many tokens at one instant. Gives their ids in order.
async fn revoked(ctx: &Context, count: usize) -> Check<Vec<TokenId>> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let record = ctx.stored("ada").await?;
        ctx.driver().delete(&record.id).await?;
        ids.push(record.id);
    }
    ctx.advance(TICK);
    Ok(ids)
}

async fn the_feed_keeps_its_order_over_a_kill(ctx: Context) -> Check {
    the_feed_keeps_its_order(ctx, End::Kill).await
}

async fn the_feed_keeps_its_order_over_a_reopen(ctx: Context) -> Check {
    the_feed_keeps_its_order(ctx, End::Reopen).await
}

async fn the_feed_keeps_its_order(mut ctx: Context, end: End) -> Check {
    let mut wanted = Vec::new();
    for round in 0..4 {
        wanted.extend(revoked(&ctx, 5).await?);
        end.of(&mut ctx).await?;
        let found = feed(&ctx.driver()).await?;
        same(&found, &wanted, format!("the feed after round {round}"))?;
    }
    Ok(())
}

async fn a_feed_cursor_resumes_after_a_kill(ctx: Context) -> Check {
    a_feed_cursor_resumes(ctx, End::Kill).await
}

async fn a_feed_cursor_resumes_after_a_reopen(ctx: Context) -> Check {
    a_feed_cursor_resumes(ctx, End::Reopen).await
}

/// A follower that read up to the end misses nothing and sees nothing twice.
async fn a_feed_cursor_resumes(mut ctx: Context, end: End) -> Check {
    let mut cursor = None;
    for round in 0..4 {
        let wanted = revoked(&ctx, 4).await?;
        end.of(&mut ctx).await?;
        let (items, last) = feed_after(&ctx.driver(), cursor, 2).await?;
        let found: Vec<_> = items.into_iter().map(|item| item.id).collect();
        same(&found, &wanted, format!("what is new in round {round}"))?;
        cursor = last;
    }
    Ok(())
}

async fn the_order_goes_on_after_a_kill_when_all_was_flushed(ctx: Context) -> Check {
    the_order_goes_on(ctx, End::Kill).await
}

async fn the_order_goes_on_after_a_reopen_when_all_was_flushed(ctx: Context) -> Check {
    the_order_goes_on(ctx, End::Reopen).await
}

/// A store that counts on from its last entry would begin anew, behind the follower's back.
async fn the_order_goes_on(mut ctx: Context, end: End) -> Check {
    revoked(&ctx, 10).await?;
    let (_, mut cursor) = feed_after(&ctx.driver(), None, 100).await?;
    for round in 0..3 {
        ctx.advance(LIFETIME);
        ctx.driver().flush_expired(NonZeroU32::MAX).await?;
        end.of(&mut ctx).await?;
        let wanted = revoked(&ctx, 2).await?;
        let (items, last) = feed_after(&ctx.driver(), cursor, 100).await?;
        let found: Vec<_> = items.into_iter().map(|item| item.id).collect();
        same(&found, &wanted, format!("what is new in round {round}"))?;
        cursor = last;
    }
    Ok(())
}
