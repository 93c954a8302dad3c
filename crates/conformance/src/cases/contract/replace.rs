//! `replace`: data and expiry change, if the version is still the expected one.

use std::num::NonZeroU32;
use std::time::Duration;

use tokenkeep_core::ErrorKind::{Conflict, NotFound};
use tokenkeep_core::{Anchor, Flushed, Replacement, TokenRecord};

use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{by, feed, is_absent, is_active};

cases! { Contract:
    replace_changes_data_and_expiry_alone [R11],
    replace_counts_the_version_up [R11],
    replace_with_the_same_values_is_a_change [R11],
    replace_of_another_version_conflicts [R11],
    replace_leaves_other_tokens_alone [R11],
    replace_of_an_unknown_id_is_not_found [R11],
    replace_of_a_revoked_token_is_not_found [R7 R11],
    replace_of_a_rotated_token_is_not_found [R7 R11 R12],
    replace_that_extends_is_not_flushed_at_the_old_expiry [R11 R13],
    replace_that_extends_keeps_every_index [R8 R11],
    replace_that_shortens_is_absent_and_flushed_early [R1 R11 R13],
    replace_with_an_expiry_that_has_passed [R1 R11],
    replace_to_and_fro_leaves_one_expiry [R11 R13],
}

fn change(record: &TokenRecord, lifetimes: u32) -> Replacement {
    Replacement {
        id: record.id,
        expires_at: record.issued_at.saturating_add(LIFETIME * lifetimes),
        data: format!("data for {lifetimes}").into(),
    }
}

/// What the record is after this change to this version.
fn changed(record: &TokenRecord, change: &Replacement, version: u64) -> TokenRecord {
    TokenRecord {
        expires_at: change.expires_at,
        data: change.data.clone(),
        version,
        ..record.clone()
    }
}

async fn replace_changes_data_and_expiry_alone(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.advance(TICK);
    let change = change(&record, 2);
    let version = ctx.driver().replace(change.clone(), 1).await?;
    same(&version, &2, "the new version")?;
    is_active(&ctx.driver(), &changed(&record, &change, 2)).await
}

async fn replace_counts_the_version_up(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    for expected in 1..=20u32 {
        let change = change(&record, expected);
        let version = ctx
            .driver()
            .replace(change.clone(), expected.into())
            .await?;
        same(&version, &u64::from(expected + 1), "the new version")?;
        let wanted = changed(&record, &change, version);
        same(&ctx.driver().get(&record.id).await?, &wanted, "the record")?;
    }
    Ok(())
}

async fn replace_with_the_same_values_is_a_change(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at,
        data: record.data.clone(),
    };
    same(
        &ctx.driver().replace(change.clone(), 1).await?,
        &2,
        "the new version",
    )?;
    let answer = ctx.driver().replace(change, 1).await;
    fails(answer, Conflict, "the same replace again")?;
    Ok(())
}

async fn replace_of_another_version_conflicts(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let first = change(&record, 2);
    ctx.driver().replace(first.clone(), 1).await?;
    // The current version is 2, which some of these are as well once a store has cut them short.
    for version in [0, 1, 3, (1 << 32) + 2, (1 << 63) + 2, u64::MAX] {
        let answer = ctx.driver().replace(change(&record, 3), version).await;
        fails(
            answer,
            Conflict,
            format!("replace, version {version} expected"),
        )?;
    }
    is_active(&ctx.driver(), &changed(&record, &first, 2)).await
}

async fn replace_leaves_other_tokens_alone(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let other = ctx.stored_full("a").await?;
    ctx.driver().replace(change(&record, 2), 1).await?;
    is_active(&ctx.driver(), &other).await
}

async fn replace_of_an_unknown_id_is_not_found(ctx: Context) -> Check {
    let record = ctx.full_record("a")?;
    for version in [0, 1] {
        let answer = ctx.driver().replace(change(&record, 2), version).await;
        fails(answer, NotFound, "replace of an unknown id")?;
    }
    is_absent(&ctx.driver(), &record).await
}

/// A late save by someone who read the token before it was revoked does not revive it, and is
/// told so whatever version it expects.
async fn replace_of_a_revoked_token_is_not_found(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.driver().replace(change(&record, 2), 1).await?;
    ctx.driver().delete(&record.id).await?;
    for version in [1, 2, 3] {
        let answer = ctx.driver().replace(change(&record, 3), version).await;
        fails(
            answer,
            NotFound,
            format!("replace, version {version} expected"),
        )?;
    }
    is_absent(&ctx.driver(), &record).await?;
    same(&feed(&ctx.driver()).await?, &vec![record.id], "the feed")
}

async fn replace_of_a_rotated_token_is_not_found(ctx: Context) -> Check {
    let old = ctx.stored_full("a").await?;
    let successor = ctx.full_record("b")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    let answer = ctx.driver().replace(change(&old, 2), 1).await;
    fails(answer, NotFound, "replace of a rotated token")?;
    is_absent(&ctx.driver(), &old).await?;
    is_active(&ctx.driver(), &successor).await
}

async fn replace_that_extends_is_not_flushed_at_the_old_expiry(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let change = change(&record, 2);
    ctx.driver().replace(change.clone(), 1).await?;
    ctx.advance(LIFETIME * 2 - TICK);
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(
        &flushed,
        &Flushed::default(),
        "the flush after the old expiry",
    )?;
    is_active(&ctx.driver(), &changed(&record, &change, 2)).await?;
    ctx.advance(TICK);
    is_absent(&ctx.driver(), &record).await?;
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(
        &flushed.removed,
        &1,
        "what the flush at the new expiry removed",
    )
}

/// Past the old expiry every index still finds the token, for the listing and for revocation.
async fn replace_that_extends_keeps_every_index(ctx: Context) -> Check {
    for anchor in Anchor::ALL {
        let tag = format!("{anchor:?}");
        let record = ctx.stored_full(&tag).await?;
        let change = change(&record, 3);
        ctx.driver().replace(change.clone(), 1).await?;
        ctx.advance(LIFETIME);
        is_active(&ctx.driver(), &changed(&record, &change, 2)).await?;
        let value = anchor.of(&record).map_or("", |value| value);
        let revoked = ctx.driver().delete_tokens(&by(anchor, value)?).await?;
        same(&revoked, &vec![record.id], format!("revoked by {anchor:?}"))?;
    }
    Ok(())
}

async fn replace_that_shortens_is_absent_and_flushed_early(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let mut short = change(&record, 1);
    short.expires_at = ctx.now().saturating_add(TICK);
    ctx.driver().replace(short.clone(), 1).await?;
    is_active(&ctx.driver(), &changed(&record, &short, 2)).await?;
    ctx.advance(TICK);
    is_absent(&ctx.driver(), &record).await?;
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(
        &flushed.removed,
        &1,
        "what the flush at the new expiry removed",
    )?;
    ctx.advance(LIFETIME);
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(&flushed, &Flushed::default(), "the flush at the old expiry")
}

async fn replace_with_an_expiry_that_has_passed(ctx: Context) -> Check {
    for back in [Duration::ZERO, TICK, LIFETIME] {
        let record = ctx.stored_full("a").await?;
        let mut past = change(&record, 1);
        past.expires_at = ctx.now().saturating_sub(back);
        let version = ctx.driver().replace(past.clone(), 1).await?;
        same(&version, &2, "the new version")?;
        is_absent(&ctx.driver(), &record).await?;
        let answer = ctx.driver().replace(change(&record, 2), 2).await;
        fails(answer, NotFound, "replace of what has expired")?;
        ctx.driver().create(record.clone()).await?;
        is_active(&ctx.driver(), &record).await?;
    }
    Ok(())
}

/// However often the expiry moved, the token is flushed once, at the last one.
async fn replace_to_and_fro_leaves_one_expiry(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    for (version, lifetimes) in (1..).zip([5, 2, 9, 1, 7, 3]) {
        ctx.driver()
            .replace(change(&record, lifetimes), version)
            .await?;
    }
    for hour in 1..=10 {
        ctx.advance(LIFETIME);
        let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
        let wanted = u64::from(hour == 3);
        same(
            &flushed.removed,
            &wanted,
            format!("flushed after {hour} hours"),
        )?;
    }
    Ok(())
}
