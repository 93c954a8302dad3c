//! Each kind of write, acknowledged and then put to the test.

use std::num::NonZeroU32;

use tokenkeep_core::ErrorKind::{AlreadyExists, Conflict, NotFound};
use tokenkeep_core::{Anchor, Flushed, Replacement, Rotation, TokenRecord};

use super::End;
use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{by, feed, is_absent, is_active};

cases! { Durability:
    creates_survive_a_kill [R15],
    creates_survive_a_reopen [R15],
    batches_survive_a_kill [R14 R15],
    batches_survive_a_reopen [R14 R15],
    deletes_survive_a_kill [R7 R15],
    deletes_survive_a_reopen [R7 R15],
    bulk_revocations_survive_a_kill [R7 R8 R15],
    bulk_revocations_survive_a_reopen [R7 R8 R15],
    replaces_survive_a_kill [R11 R15],
    replaces_survive_a_reopen [R11 R15],
    rotations_survive_a_kill [R12 R15],
    rotations_survive_a_reopen [R12 R15],
    flushes_survive_a_kill [R13 R15],
    flushes_survive_a_reopen [R13 R15],
    every_write_survives_its_own_kill [R15],
    an_empty_store_survives_kills [R15],
    the_store_says_the_same_after_a_kill [R15 R19],
    what_expires_meanwhile_is_absent_after_a_kill [R1 R15],
}

async fn creates_survive_a_kill(ctx: Context) -> Check {
    creates_survive(ctx, End::Kill).await
}

async fn creates_survive_a_reopen(ctx: Context) -> Check {
    creates_survive(ctx, End::Reopen).await
}

async fn creates_survive(mut ctx: Context, end: End) -> Check {
    let mut records = Vec::new();
    for number in 0..20 {
        records.push(ctx.stored_full(&format!("{}", number % 3)).await?);
    }
    let mut plain = ctx.record("ada")?;
    plain.data = vec![0xff; 60_000].into();
    ctx.driver().create(plain.clone()).await?;
    records.push(plain);
    end.of(&mut ctx).await?;
    for record in &records {
        is_active(&ctx.driver(), record).await?;
        let answer = ctx.driver().create(record.clone()).await;
        fails(answer, AlreadyExists, "create of what survived")?;
    }
    Ok(())
}

async fn batches_survive_a_kill(ctx: Context) -> Check {
    batches_survive(ctx, End::Kill).await
}

async fn batches_survive_a_reopen(ctx: Context) -> Check {
    batches_survive(ctx, End::Reopen).await
}

async fn batches_survive(mut ctx: Context, end: End) -> Check {
    let batch = (0..500)
        .map(|number| ctx.full_record(&format!("{}", number % 50)))
        .collect::<Check<Vec<_>>>()?;
    for answer in ctx.driver().create_many(batch.clone()).await? {
        answer?;
    }
    end.of(&mut ctx).await?;
    for record in &batch {
        is_active(&ctx.driver(), record).await?;
    }
    Ok(())
}

async fn deletes_survive_a_kill(ctx: Context) -> Check {
    deletes_survive(ctx, End::Kill).await
}

async fn deletes_survive_a_reopen(ctx: Context) -> Check {
    deletes_survive(ctx, End::Reopen).await
}

async fn deletes_survive(mut ctx: Context, end: End) -> Check {
    let record = ctx.stored_full("a").await?;
    let other = ctx.stored_full("a").await?;
    ctx.driver().delete(&record.id).await?;
    let revoked_at = ctx.now();
    ctx.advance(TICK);
    end.of(&mut ctx).await?;
    is_active(&ctx.driver(), &other).await?;
    stays_revoked(&ctx, &record, revoked_at).await
}

/// Whatever is tried, the token stays revoked since that instant.
async fn stays_revoked(
    ctx: &Context,
    record: &TokenRecord,
    at: tokenkeep_core::Timestamp,
) -> Check {
    let driver = ctx.driver();
    is_absent(&driver, record).await?;
    same(&feed(&driver).await?, &vec![record.id], "the feed")?;
    fails(driver.delete(&record.id).await, NotFound, "delete")?;
    fails(driver.create(record.clone()).await, AlreadyExists, "create")?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at,
        data: record.data.clone(),
    };
    fails(driver.replace(change, 1).await, NotFound, "replace")?;
    let used = Rotation::AlreadyUsed {
        at,
        successor: None,
    };
    let answer = driver.rotate(&record.id, ctx.record("ada")?).await?;
    same(&answer, &used, "rotate")
}

async fn bulk_revocations_survive_a_kill(ctx: Context) -> Check {
    bulk_revocations_survive(ctx, End::Kill).await
}

async fn bulk_revocations_survive_a_reopen(ctx: Context) -> Check {
    bulk_revocations_survive(ctx, End::Reopen).await
}

async fn bulk_revocations_survive(mut ctx: Context, end: End) -> Check {
    let mut revoked = Vec::new();
    for _ in 0..30 {
        revoked.push(ctx.stored_full("a").await?);
    }
    let other = ctx.stored_full("b").await?;
    let filter = by(Anchor::Tenant, "tenant-a")?;
    same(
        &ctx.driver().delete_tokens(&filter).await?.len(),
        &30,
        "how many were revoked",
    )?;
    let before = feed(&ctx.driver()).await?;
    end.of(&mut ctx).await?;
    for record in &revoked {
        is_absent(&ctx.driver(), record).await?;
    }
    is_active(&ctx.driver(), &other).await?;
    same(&feed(&ctx.driver()).await?, &before, "the feed")?;
    let again = ctx.driver().delete_tokens(&filter).await?;
    same(&again, &vec![], "what is revoked again")
}

async fn replaces_survive_a_kill(ctx: Context) -> Check {
    replaces_survive(ctx, End::Kill).await
}

async fn replaces_survive_a_reopen(ctx: Context) -> Check {
    replaces_survive(ctx, End::Reopen).await
}

/// The new data, the new expiry in every order, and a version that goes on.
async fn replaces_survive(mut ctx: Context, end: End) -> Check {
    let record = ctx.stored_full("a").await?;
    let change = |lifetimes| Replacement {
        id: record.id,
        expires_at: record.issued_at.saturating_add(LIFETIME * lifetimes),
        data: format!("data for {lifetimes}").into(),
    };
    ctx.driver().replace(change(5), 1).await?;
    ctx.driver().replace(change(2), 2).await?;
    end.of(&mut ctx).await?;
    let wanted = TokenRecord {
        expires_at: change(2).expires_at,
        data: change(2).data,
        version: 3,
        ..record.clone()
    };
    is_active(&ctx.driver(), &wanted).await?;
    let answer = ctx.driver().replace(change(3), 2).await;
    fails(answer, Conflict, "replace of an older version")?;
    same(
        &ctx.driver().replace(change(3), 3).await?,
        &4,
        "the next version",
    )?;
    end.of(&mut ctx).await?;
    ctx.advance(LIFETIME * 3 - TICK);
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(
        &flushed,
        &Flushed::default(),
        "the flush a tick before the last expiry",
    )?;
    ctx.advance(TICK);
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(
        &flushed.removed,
        &1,
        "what the flush at the last expiry removed",
    )
}

async fn rotations_survive_a_kill(ctx: Context) -> Check {
    rotations_survive(ctx, End::Kill).await
}

async fn rotations_survive_a_reopen(ctx: Context) -> Check {
    rotations_survive(ctx, End::Reopen).await
}

async fn rotations_survive(mut ctx: Context, end: End) -> Check {
    let old = ctx.stored_full("old").await?;
    let successor = ctx.full_record("new")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    let used = Rotation::AlreadyUsed {
        at: ctx.now(),
        successor: Some(successor.id),
    };
    ctx.advance(TICK);
    end.of(&mut ctx).await?;
    is_absent(&ctx.driver(), &old).await?;
    is_active(&ctx.driver(), &successor).await?;
    let answer = ctx.driver().rotate(&old.id, ctx.record("ada")?).await?;
    same(&answer, &used, "rotate of the old token")?;
    let answer = ctx
        .driver()
        .rotate(&successor.id, ctx.record("ada")?)
        .await?;
    same(&answer, &Rotation::Rotated, "rotate of the successor")
}

async fn flushes_survive_a_kill(ctx: Context) -> Check {
    flushes_survive(ctx, End::Kill).await
}

async fn flushes_survive_a_reopen(ctx: Context) -> Check {
    flushes_survive(ctx, End::Reopen).await
}

/// What is gone stays gone, what waits still waits, and the living are not touched.
async fn flushes_survive(mut ctx: Context, end: End) -> Check {
    for _ in 0..10 {
        ctx.stored_full("a").await?;
    }
    let revoked = ctx.stored_full("a").await?;
    ctx.driver().delete(&revoked.id).await?;
    ctx.advance(LIFETIME);
    let living = ctx.stored_full("a").await?;
    let limit = NonZeroU32::MIN.saturating_add(3);
    same(
        &ctx.driver().flush_expired(limit).await?.removed,
        &4,
        "the first flush",
    )?;
    end.of(&mut ctx).await?;
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    let wanted = Flushed {
        removed: 7,
        more: false,
    };
    same(&flushed, &wanted, "the flush of the rest")?;
    end.of(&mut ctx).await?;
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(&flushed, &Flushed::default(), "the last flush")?;
    is_active(&ctx.driver(), &living).await
}

/// A kill after each single write, so that no later write carries an earlier one to safety.
async fn every_write_survives_its_own_kill(mut ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.store.kill().await?;
    is_active(&ctx.driver(), &record).await?;

    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: "changed".into(),
    };
    ctx.driver().replace(change.clone(), 1).await?;
    ctx.store.kill().await?;
    let changed = TokenRecord {
        expires_at: change.expires_at,
        data: change.data,
        version: 2,
        ..record.clone()
    };
    is_active(&ctx.driver(), &changed).await?;

    let successor = ctx.full_record("b")?;
    ctx.driver().rotate(&record.id, successor.clone()).await?;
    ctx.store.kill().await?;
    is_absent(&ctx.driver(), &record).await?;
    is_active(&ctx.driver(), &successor).await?;

    let other = ctx.full_record("b")?;
    for answer in ctx.driver().create_many(vec![other.clone()]).await? {
        answer?;
    }
    ctx.store.kill().await?;
    is_active(&ctx.driver(), &other).await?;

    ctx.driver().delete(&other.id).await?;
    ctx.store.kill().await?;
    is_absent(&ctx.driver(), &other).await?;

    ctx.driver()
        .delete_tokens(&by(Anchor::User, "user-b")?)
        .await?;
    ctx.store.kill().await?;
    is_absent(&ctx.driver(), &successor).await?;
    let wanted = vec![record.id, other.id, successor.id];
    same(&feed(&ctx.driver()).await?, &wanted, "the feed")?;

    ctx.advance(LIFETIME * 2);
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(&flushed.removed, &3, "what the flush removed")?;
    ctx.store.kill().await?;
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(
        &flushed,
        &Flushed::default(),
        "the flush after its own kill",
    )
}

async fn an_empty_store_survives_kills(mut ctx: Context) -> Check {
    for end in [End::Kill, End::Kill, End::Reopen, End::Reopen, End::Kill] {
        end.of(&mut ctx).await?;
        same(&feed(&ctx.driver()).await?, &vec![], "the feed")?;
    }
    let record = ctx.stored_full("a").await?;
    is_active(&ctx.driver(), &record).await
}

async fn the_store_says_the_same_after_a_kill(mut ctx: Context) -> Check {
    let before = ctx.driver().check().await?;
    ctx.store.kill().await?;
    let after = ctx.driver().check().await?;
    same(&after.driver, &before.driver, "driver")?;
    same(&after.namespace, &before.namespace, "namespace")?;
    same(&after.durability, &before.durability, "durability")
}

async fn what_expires_meanwhile_is_absent_after_a_kill(mut ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.advance(LIFETIME);
    ctx.store.kill().await?;
    is_absent(&ctx.driver(), &record).await?;
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(&flushed.removed, &1, "what the flush removed")?;
    ctx.driver().create(record.clone()).await?;
    is_absent(&ctx.driver(), &record).await
}
