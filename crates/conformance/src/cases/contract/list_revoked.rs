//! `list_revoked`: a list in order of revocation, and a feed that can be followed.

use std::num::NonZeroU32;
use std::time::Duration;

use tokenkeep_core::ErrorKind::NotFound;
use tokenkeep_core::{Anchor, PageRequest, Replacement, RevokedToken, TokenId, TokenRecord};

use crate::case::cases;
use crate::check::{Check, ensure, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{by, feed, feed_after, ids};

cases! { Contract:
    the_feed_of_an_empty_store_is_empty [R10],
    the_feed_says_what_when_and_whose [R10],
    the_feed_is_in_order_of_revocation [R10],
    the_feed_shows_a_replaced_expiry [R10 R11],
    the_feed_takes_nothing_from_failed_calls [R6 R10],
    the_feed_shows_rotated_tokens [R10 R12],
    the_feed_keeps_revoked_tokens_until_they_expire [R1 R10],
    the_feed_in_pages_of_every_size [R10],
    revocations_in_one_microsecond_are_all_seen [R10],
    a_clock_set_back_hides_no_revocation [R10],
    a_feed_cursor_resumes_after_what_was_seen [R10],
    a_feed_cursor_holds_with_nothing_new [R10],
    a_feed_cursor_holds_when_all_seen_is_flushed [R10 R13],
    a_feed_cursor_holds_when_the_rest_expires [R1 R10],
    a_feed_cursor_shows_a_second_life_of_an_id [R1 R10],
    an_empty_feed_is_followed_from_its_beginning [R10],
}

async fn the_feed_of_an_empty_store_is_empty(ctx: Context) -> Check {
    let page = ctx.driver().list_revoked(&PageRequest::default()).await?;
    ensure(page.items.is_empty(), "an empty store shows a revocation")?;
    ctx.stored("ada").await?;
    same(
        &feed(&ctx.driver()).await?,
        &vec![],
        "the feed of active tokens",
    )
}

async fn the_feed_says_what_when_and_whose(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.advance(Duration::from_micros(1_234_567));
    ctx.driver().delete(&record.id).await?;
    let revoked_at = ctx.now();
    ctx.advance(TICK);
    let (items, _) = feed_after(&ctx.driver(), None, 10).await?;
    let wanted = RevokedToken {
        id: record.id,
        audit_id: record.audit_id,
        user_id: record.user_id,
        revoked_at,
        expires_at: record.expires_at,
    };
    same(&items, &vec![wanted], "the feed")
}

/// Stores so many tokens and revokes them a tick apart, in an order that is neither theirs nor
/// that of their ids or expiries. Gives the ids in order of revocation.
async fn revoked_out_of_order(ctx: &Context, count: u32) -> Check<Vec<TokenId>> {
    let mut records = Vec::new();
    for number in 0..count {
        let mut record = ctx.record("ada")?;
        let place = number.wrapping_mul(7_919) % 1_009;
        record.expires_at = ctx.now().saturating_add(LIFETIME + TICK * place);
        ctx.driver().create(record.clone()).await?;
        records.push(record);
    }
    records.sort_by_key(|record| record.id.as_bytes()[7]);
    for record in &records {
        ctx.advance(TICK);
        ctx.driver().delete(&record.id).await?;
    }
    Ok(in_order(&records))
}

fn in_order(records: &[TokenRecord]) -> Vec<TokenId> {
    records.iter().map(|record| record.id).collect()
}

fn shown(items: &[RevokedToken]) -> Vec<TokenId> {
    items.iter().map(|item| item.id).collect()
}

async fn the_feed_is_in_order_of_revocation(ctx: Context) -> Check {
    let wanted = revoked_out_of_order(&ctx, 30).await?;
    same(&feed(&ctx.driver()).await?, &wanted, "the feed")
}

async fn the_feed_shows_a_replaced_expiry(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: record.data,
    };
    ctx.driver().replace(change.clone(), 1).await?;
    ctx.driver().delete(&record.id).await?;
    ctx.advance(LIFETIME * 2 - TICK);
    let (items, _) = feed_after(&ctx.driver(), None, 10).await?;
    let expiries: Vec<_> = items.iter().map(|item| item.expires_at).collect();
    same(
        &expiries,
        &vec![change.expires_at],
        "the expiries in the feed",
    )
}

async fn the_feed_takes_nothing_from_failed_calls(ctx: Context) -> Check {
    let driver = ctx.driver();
    let unknown = ctx.new_id();
    fails(
        driver.delete(&unknown).await,
        NotFound,
        "delete of an unknown id",
    )?;
    let answer = driver.rotate(&unknown, ctx.record("ada")?).await;
    fails(answer, NotFound, "rotate of an unknown id")?;
    let record = ctx.stored("ada").await?;
    let mut taken = ctx.record("ada")?;
    taken.id = ctx.stored("ada").await?.id;
    ensure(
        driver.rotate(&record.id, taken).await.is_err(),
        "rotate to a taken id",
    )?;
    driver.delete_tokens(&by(Anchor::User, "grace")?).await?;
    same(&feed(&driver).await?, &vec![], "the feed")
}

async fn the_feed_shows_rotated_tokens(ctx: Context) -> Check {
    let mut current = ctx.stored("ada").await?;
    let mut wanted = Vec::new();
    for _ in 0..3 {
        let successor = ctx.record("ada")?;
        ctx.driver().rotate(&current.id, successor.clone()).await?;
        wanted.push(current.id);
        current = successor;
    }
    same(&feed(&ctx.driver()).await?, &wanted, "the feed")
}

async fn the_feed_keeps_revoked_tokens_until_they_expire(ctx: Context) -> Check {
    let mut long = ctx.record("ada")?;
    long.expires_at = ctx.now().saturating_add(LIFETIME * 2);
    ctx.driver().create(long.clone()).await?;
    let short = ctx.stored("ada").await?;
    for record in [&short, &long] {
        ctx.driver().delete(&record.id).await?;
    }
    ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    let both = in_order(&[short, long.clone()]);
    same(&feed(&ctx.driver()).await?, &both, "the feed at first")?;
    ctx.advance(LIFETIME);
    same(
        &feed(&ctx.driver()).await?,
        &vec![long.id],
        "the feed an hour later",
    )?;
    ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(
        &feed(&ctx.driver()).await?,
        &vec![long.id],
        "the feed after a flush",
    )
}

async fn the_feed_in_pages_of_every_size(ctx: Context) -> Check {
    let wanted = revoked_out_of_order(&ctx, 25).await?;
    for limit in [1, 2, 3, 7, 12, 24, 25, 26, PageRequest::MAX_LIMIT] {
        let (items, _) = feed_after(&ctx.driver(), None, limit).await?;
        same(
            &shown(&items),
            &wanted,
            format!("the feed in pages of {limit}"),
        )?;
    }
    Ok(())
}

/// Many revocations of one instant, by one call and by many, read one at a time.
async fn revocations_in_one_microsecond_are_all_seen(ctx: Context) -> Check {
    let mut wanted = Vec::new();
    for _ in 0..10 {
        wanted.push(ctx.stored("grace").await?);
    }
    let bulk = [ctx.stored("ada").await?, ctx.stored("ada").await?];
    for record in &wanted {
        ctx.driver().delete(&record.id).await?;
    }
    ctx.driver()
        .delete_tokens(&by(Anchor::User, "ada")?)
        .await?;

    let (items, _) = feed_after(&ctx.driver(), None, 1).await?;
    let found = shown(&items);
    let (first, last) = found.split_at(wanted.len().min(found.len()));
    same(
        &first.to_vec(),
        &in_order(&wanted),
        "the single revocations",
    )?;
    let last = last.iter().copied().collect();
    same(&ids(&bulk), &last, "the bulk revocation")
}

/// The order is that of the revocations, and not of what the clock said at each.
async fn a_clock_set_back_hides_no_revocation(ctx: Context) -> Check {
    let (one, two) = (ctx.stored("ada").await?, ctx.stored("ada").await?);
    ctx.driver().delete(&one.id).await?;
    let (_, cursor) = feed_after(&ctx.driver(), None, 10).await?;
    ctx.clock.set(ctx.now().saturating_sub(LIFETIME / 2));
    ctx.driver().delete(&two.id).await?;
    let (items, _) = feed_after(&ctx.driver(), cursor, 10).await?;
    same(&shown(&items), &vec![two.id], "the feed after the cursor")?;
    let wanted = in_order(&[one, two]);
    same(&feed(&ctx.driver()).await?, &wanted, "the whole feed")
}

async fn a_feed_cursor_resumes_after_what_was_seen(ctx: Context) -> Check {
    let mut cursor = None;
    for round in 0..4 {
        let wanted = revoked_out_of_order(&ctx, 5).await?;
        let (items, last) = feed_after(&ctx.driver(), cursor, 2).await?;
        same(
            &shown(&items),
            &wanted,
            format!("what is new in round {round}"),
        )?;
        cursor = last;
    }
    Ok(())
}

async fn a_feed_cursor_holds_with_nothing_new(ctx: Context) -> Check {
    revoked_out_of_order(&ctx, 3).await?;
    let (_, mut cursor) = feed_after(&ctx.driver(), None, 10).await?;
    for _ in 0..3 {
        let (items, last) = feed_after(&ctx.driver(), cursor, 10).await?;
        same(&items, &vec![], "the feed with nothing new")?;
        cursor = last;
    }
    let wanted = revoked_out_of_order(&ctx, 3).await?;
    let (items, _) = feed_after(&ctx.driver(), cursor, 10).await?;
    same(&shown(&items), &wanted, "what is new at last")
}

/// A follower's place outlives the tokens it was taken from.
async fn a_feed_cursor_holds_when_all_seen_is_flushed(ctx: Context) -> Check {
    revoked_out_of_order(&ctx, 5).await?;
    let (_, cursor) = feed_after(&ctx.driver(), None, 2).await?;
    ctx.advance(LIFETIME * 2);
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(&flushed.removed, &5, "what the flush removed")?;
    let (items, cursor) = feed_after(&ctx.driver(), cursor, 2).await?;
    same(&items, &vec![], "the feed with everything flushed")?;
    let wanted = revoked_out_of_order(&ctx, 5).await?;
    let (items, _) = feed_after(&ctx.driver(), cursor, 2).await?;
    same(&shown(&items), &wanted, "what is new after the flush")
}

async fn a_feed_cursor_holds_when_the_rest_expires(ctx: Context) -> Check {
    revoked_out_of_order(&ctx, 6).await?;
    let page = ctx.driver().list_revoked(&PageRequest::new(2)?).await?;
    ctx.advance(LIFETIME * 2);
    let (items, cursor) = feed_after(&ctx.driver(), page.cursor, 2).await?;
    same(&items, &vec![], "the feed with everything expired")?;
    let wanted = revoked_out_of_order(&ctx, 3).await?;
    let (items, _) = feed_after(&ctx.driver(), cursor, 2).await?;
    same(&shown(&items), &wanted, "what is new after the expiry")
}

/// An id whose revocation was seen expires, is used again and revoked again: that is news.
async fn a_feed_cursor_shows_a_second_life_of_an_id(ctx: Context) -> Check {
    let first = ctx.stored("ada").await?;
    ctx.driver().delete(&first.id).await?;
    let (_, cursor) = feed_after(&ctx.driver(), None, 10).await?;
    ctx.advance(LIFETIME);
    let mut second = ctx.record("grace")?;
    second.id = first.id;
    ctx.driver().create(second.clone()).await?;
    let (items, cursor) = feed_after(&ctx.driver(), cursor, 10).await?;
    same(&items, &vec![], "the feed while the second token is active")?;
    ctx.driver().delete(&second.id).await?;
    let (items, _) = feed_after(&ctx.driver(), cursor, 10).await?;
    let found: Vec<_> = items.into_iter().map(|item| item.user_id).collect();
    same(&found, &vec![second.user_id], "whose revocation is new")?;
    same(
        &feed(&ctx.driver()).await?,
        &vec![second.id],
        "the whole feed",
    )
}

/// Where nothing was seen yet, going on means beginning.
async fn an_empty_feed_is_followed_from_its_beginning(ctx: Context) -> Check {
    let (items, cursor) = feed_after(&ctx.driver(), None, 10).await?;
    same(&items, &vec![], "the feed at first")?;
    let wanted = revoked_out_of_order(&ctx, 3).await?;
    let (items, _) = feed_after(&ctx.driver(), cursor, 10).await?;
    same(&shown(&items), &wanted, "the first revocations")
}
