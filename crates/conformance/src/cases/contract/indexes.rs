//! The life of index entries: they come, move and go with their token, and with no other.

use std::num::NonZeroU32;

use tokenkeep_core::{Anchor, Flushed, Replacement, Rotation, TokenRecord};

use crate::case::cases;
use crate::check::{Check, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{by, feed, ids, is_absent, is_active, listed};

cases! { Contract:
    a_second_life_is_found_by_its_own_values_alone [R2 R8],
    a_second_life_knows_nothing_of_the_first [R2 R11 R12],
    a_flush_leaves_a_second_life_alone [R2 R13],
    a_flush_leaves_a_second_life_with_the_same_values_alone [R2 R13],
    a_flush_leaves_a_second_life_after_a_revoked_one_alone [R2 R10 R13],
    a_flush_leaves_a_second_life_by_rotation_alone [R12 R13],
    a_second_life_that_is_revoked_is_in_no_index [R6 R8],
    an_index_lives_as_long_as_its_longest_member [R1 R8],
    an_index_outlives_a_member_that_is_revoked [R6 R8],
    revoking_by_one_anchor_clears_the_others [R8 R9],
    revoking_a_user_keeps_what_its_tenant_shares [R8],
    an_index_fills_again_after_it_was_emptied [R2 R8],
    a_revoked_token_goes_at_its_replaced_expiry [R11 R13],
    a_successor_takes_over_every_index [R8 R12],
}

/// A token that has expired, and another that took its id, with these tags for their values.
async fn two_lives(ctx: &Context, first: &str, second: &str) -> Check<(TokenRecord, TokenRecord)> {
    let first = ctx.stored_full(first).await?;
    ctx.advance(LIFETIME);
    let mut record = ctx.full_record(second)?;
    record.id = first.id;
    ctx.driver().create(record.clone()).await?;
    Ok((first, record))
}

/// Neither listed nor revoked by any value of this record.
async fn values_find_nothing(ctx: &Context, record: &TokenRecord) -> Check {
    for anchor in Anchor::ALL {
        let filter = by(anchor, anchor.of(record).map_or("", |value| value))?;
        let found = listed(&ctx.driver(), &filter).await?;
        same(&found, &ids([]), format!("listed by the old {anchor:?}"))?;
        let revoked = ctx.driver().delete_tokens(&filter).await?;
        same(&revoked, &vec![], format!("revoked by the old {anchor:?}"))?;
    }
    Ok(())
}

async fn flush(ctx: &Context) -> Check<Flushed> {
    Ok(ctx.driver().flush_expired(NonZeroU32::MAX).await?)
}

async fn a_second_life_is_found_by_its_own_values_alone(ctx: Context) -> Check {
    let (first, second) = two_lives(&ctx, "first", "second").await?;
    values_find_nothing(&ctx, &first).await?;
    is_active(&ctx.driver(), &second).await?;
    let revoked = ctx
        .driver()
        .delete_tokens(&by(Anchor::Domain, "domain-second")?)
        .await?;
    same(&revoked, &vec![second.id], "revoked by the new domain")
}

/// Version, revocation and successor belong to a token and not to its id.
async fn a_second_life_knows_nothing_of_the_first(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    let change = Replacement {
        id: first.id,
        expires_at: first.expires_at,
        data: "changed".into(),
    };
    ctx.driver().replace(change.clone(), 1).await?;
    ctx.driver().rotate(&first.id, ctx.record("ada")?).await?;
    ctx.advance(LIFETIME);
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    ctx.driver().create(second.clone()).await?;
    is_active(&ctx.driver(), &second).await?;
    let change = Replacement {
        expires_at: second.expires_at,
        ..change
    };
    same(
        &ctx.driver().replace(change, 1).await?,
        &2,
        "its next version",
    )?;
    let answer = ctx.driver().rotate(&second.id, ctx.record("ada")?).await?;
    same(
        &answer,
        &Rotation::Rotated,
        "the rotation of its second life",
    )
}

async fn a_flush_leaves_a_second_life_alone(ctx: Context) -> Check {
    let (first, second) = two_lives(&ctx, "first", "second").await?;
    same(&flush(&ctx).await?, &Flushed::default(), "the flush")?;
    is_active(&ctx.driver(), &second).await?;
    values_find_nothing(&ctx, &first).await
}

/// Here the entries of both lives have the same keys.
async fn a_flush_leaves_a_second_life_with_the_same_values_alone(ctx: Context) -> Check {
    let (_, second) = two_lives(&ctx, "same", "same").await?;
    same(&flush(&ctx).await?, &Flushed::default(), "the flush")?;
    is_active(&ctx.driver(), &second).await?;
    let revoked = ctx
        .driver()
        .delete_tokens(&by(Anchor::Trust, "trust-same")?)
        .await?;
    same(&revoked, &vec![second.id], "revoked by trust")
}

async fn a_flush_leaves_a_second_life_after_a_revoked_one_alone(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    ctx.driver().delete(&first.id).await?;
    ctx.advance(LIFETIME);
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    ctx.driver().create(second.clone()).await?;
    flush(&ctx).await?;
    is_active(&ctx.driver(), &second).await?;
    ctx.driver().delete(&second.id).await?;
    flush(&ctx).await?;
    same(&feed(&ctx.driver()).await?, &vec![second.id], "the feed")
}

async fn a_flush_leaves_a_second_life_by_rotation_alone(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    ctx.advance(LIFETIME);
    let old = ctx.stored_full("old").await?;
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    ctx.driver().rotate(&old.id, second.clone()).await?;
    same(&flush(&ctx).await?, &Flushed::default(), "the flush")?;
    is_active(&ctx.driver(), &second).await?;
    values_find_nothing(&ctx, &first).await
}

async fn a_second_life_that_is_revoked_is_in_no_index(ctx: Context) -> Check {
    let (first, second) = two_lives(&ctx, "first", "second").await?;
    ctx.driver().delete(&second.id).await?;
    values_find_nothing(&ctx, &first).await?;
    values_find_nothing(&ctx, &second).await
}

/// Created in both orders, so that neither the first nor the last member decides.
async fn an_index_lives_as_long_as_its_longest_member(ctx: Context) -> Check {
    for lifetimes in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let mut members = Vec::new();
        for lifetime in lifetimes {
            let mut record = ctx.full_record("a")?;
            record.expires_at = ctx.now().saturating_add(LIFETIME * lifetime);
            ctx.driver().create(record.clone()).await?;
            members.push(record);
        }
        for _ in 0..2 {
            ctx.advance(LIFETIME);
            flush(&ctx).await?;
            members.retain(|member| !member.is_expired(ctx.now()));
            for member in &members {
                is_active(&ctx.driver(), member).await?;
            }
        }
        let revoked = ctx
            .driver()
            .delete_tokens(&by(Anchor::Consumer, "consumer-a")?)
            .await?;
        let wanted: Vec<_> = members.iter().map(|member| member.id).collect();
        same(&revoked, &wanted, "the longest member, revoked")?;
    }
    Ok(())
}

async fn an_index_outlives_a_member_that_is_revoked(ctx: Context) -> Check {
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(ctx.stored_full("a").await?);
    }
    while let Some(member) = members.pop() {
        ctx.driver().delete(&member.id).await?;
        is_absent(&ctx.driver(), &member).await?;
        for member in &members {
            is_active(&ctx.driver(), member).await?;
        }
    }
    Ok(())
}

async fn revoking_by_one_anchor_clears_the_others(ctx: Context) -> Check {
    for anchor in Anchor::ALL {
        let record = ctx.stored_full("a").await?;
        let filter = by(anchor, anchor.of(&record).map_or("", |value| value))?;
        ctx.driver().delete_tokens(&filter).await?;
        is_absent(&ctx.driver(), &record).await?;
        values_find_nothing(&ctx, &record).await?;
    }
    Ok(())
}

async fn revoking_a_user_keeps_what_its_tenant_shares(ctx: Context) -> Check {
    let one = ctx.record("ada")?.with_tenant("engines")?;
    let two = ctx.record("grace")?.with_tenant("engines")?;
    for record in [&one, &two] {
        ctx.driver().create(record.clone()).await?;
    }
    ctx.driver()
        .delete_tokens(&by(Anchor::User, "ada")?)
        .await?;
    is_absent(&ctx.driver(), &one).await?;
    is_active(&ctx.driver(), &two).await?;
    let revoked = ctx
        .driver()
        .delete_tokens(&by(Anchor::Tenant, "engines")?)
        .await?;
    same(&revoked, &vec![two.id], "revoked by the shared tenant")
}

async fn an_index_fills_again_after_it_was_emptied(ctx: Context) -> Check {
    let first = ctx.stored_full("a").await?;
    ctx.driver().delete(&first.id).await?;
    let second = ctx.stored_full("a").await?;
    is_active(&ctx.driver(), &second).await?;
    ctx.advance(LIFETIME);
    flush(&ctx).await?;
    let third = ctx.stored_full("a").await?;
    is_active(&ctx.driver(), &third).await?;
    for anchor in Anchor::ALL {
        let filter = by(anchor, anchor.of(&third).map_or("", |value| value))?;
        let found = listed(&ctx.driver(), &filter).await?;
        same(&found, &ids([&third]), format!("listed by {anchor:?}"))?;
    }
    Ok(())
}

/// A token was extended and then revoked: it is remembered, and flushed, by its last expiry.
async fn a_revoked_token_goes_at_its_replaced_expiry(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: record.data.clone(),
    };
    ctx.driver().replace(change, 1).await?;
    ctx.driver().delete(&record.id).await?;
    ctx.advance(LIFETIME * 2 - TICK);
    same(
        &flush(&ctx).await?,
        &Flushed::default(),
        "the flush a tick early",
    )?;
    same(&feed(&ctx.driver()).await?, &vec![record.id], "the feed")?;
    ctx.advance(TICK);
    same(&flush(&ctx).await?.removed, &1, "what the flush removed")
}

async fn a_successor_takes_over_every_index(ctx: Context) -> Check {
    let old = ctx.stored_full("a").await?;
    let successor = ctx.full_record("a")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    for anchor in Anchor::ALL {
        let filter = by(anchor, anchor.of(&successor).map_or("", |value| value))?;
        let found = listed(&ctx.driver(), &filter).await?;
        same(&found, &ids([&successor]), format!("listed by {anchor:?}"))?;
    }
    Ok(())
}
