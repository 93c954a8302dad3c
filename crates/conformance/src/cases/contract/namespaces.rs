//! Namespaces of one server or folder share nothing.

use std::num::NonZeroU32;

use tokenkeep_core::ErrorKind::{InvalidInput, NotFound};
use tokenkeep_core::{Anchor, Flushed, PageRequest, Replacement, Rotation, TokenRecord};

use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{Driver, by, feed, ids, is_absent, is_active, listed};

cases! { Contract:
    a_neighbour_does_not_see_a_token [R5 R18],
    a_neighbour_may_have_the_same_id [R2 R18],
    a_neighbour_does_not_delete [R6 R18],
    a_neighbour_does_not_revoke_in_bulk [R8 R18],
    a_neighbour_does_not_list [R9 R18],
    a_neighbour_has_a_feed_of_its_own [R10 R18],
    a_neighbour_does_not_replace [R11 R18],
    a_neighbour_does_not_rotate [R12 R18],
    a_neighbour_does_not_flush [R13 R18],
    a_neighbour_does_not_take_part_in_a_batch [R14 R18],
    a_neighbour_refuses_cursors_from_here [R9 R10 R18],
    a_neighbour_names_another_namespace [R18 R19],
}

/// A token here, and another with the same id and all the same values next door.
async fn twins(ctx: &Context) -> Check<(Driver, Driver, TokenRecord)> {
    let neighbour = ctx.store.neighbour().await?;
    let record = ctx.stored_full("a").await?;
    neighbour.create(record.clone()).await?;
    Ok((ctx.driver(), neighbour, record))
}

async fn a_neighbour_does_not_see_a_token(ctx: Context) -> Check {
    let neighbour = ctx.store.neighbour().await?;
    let here = ctx.stored_full("a").await?;
    is_absent(&neighbour, &here).await?;
    let there = ctx.full_record("b")?;
    neighbour.create(there.clone()).await?;
    is_absent(&ctx.driver(), &there).await?;
    is_active(&ctx.driver(), &here).await?;
    is_active(&neighbour, &there).await
}

async fn a_neighbour_may_have_the_same_id(ctx: Context) -> Check {
    let neighbour = ctx.store.neighbour().await?;
    let here = ctx.stored_full("here").await?;
    let mut there = ctx.full_record("there")?;
    there.id = here.id;
    neighbour.create(there.clone()).await?;
    is_active(&ctx.driver(), &here).await?;
    is_active(&neighbour, &there).await
}

async fn a_neighbour_does_not_delete(ctx: Context) -> Check {
    let (here, there, record) = twins(&ctx).await?;
    there.delete(&record.id).await?;
    is_active(&here, &record).await?;
    is_absent(&there, &record).await
}

async fn a_neighbour_does_not_revoke_in_bulk(ctx: Context) -> Check {
    let (here, there, record) = twins(&ctx).await?;
    for anchor in Anchor::ALL {
        let filter = by(anchor, anchor.of(&record).map_or("", |value| value))?;
        there.delete_tokens(&filter).await?;
    }
    is_active(&here, &record).await?;
    is_absent(&there, &record).await
}

async fn a_neighbour_does_not_list(ctx: Context) -> Check {
    let neighbour = ctx.store.neighbour().await?;
    let here = ctx.stored("ada").await?;
    let there = ctx.record("ada")?;
    neighbour.create(there.clone()).await?;
    let filter = by(Anchor::User, "ada")?;
    same(
        &listed(&ctx.driver(), &filter).await?,
        &ids([&here]),
        "listed here",
    )?;
    same(
        &listed(&neighbour, &filter).await?,
        &ids([&there]),
        "listed there",
    )
}

async fn a_neighbour_has_a_feed_of_its_own(ctx: Context) -> Check {
    let (here, there, record) = twins(&ctx).await?;
    let other = ctx.record("ada")?;
    there.create(other.clone()).await?;
    there.delete(&other.id).await?;
    same(&feed(&here).await?, &vec![], "the feed here at first")?;
    here.delete(&record.id).await?;
    same(&feed(&here).await?, &vec![record.id], "the feed here")?;
    same(&feed(&there).await?, &vec![other.id], "the feed there")
}

async fn a_neighbour_does_not_replace(ctx: Context) -> Check {
    let (here, there, record) = twins(&ctx).await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: "changed".into(),
    };
    same(&there.replace(change, 1).await?, &2, "the version there")?;
    is_active(&here, &record).await
}

async fn a_neighbour_does_not_rotate(ctx: Context) -> Check {
    let (here, there, record) = twins(&ctx).await?;
    let successor = ctx.full_record("b")?;
    there.rotate(&record.id, successor.clone()).await?;
    is_active(&here, &record).await?;
    is_absent(&here, &successor).await?;
    let answer = here.rotate(&record.id, successor).await?;
    same(&answer, &Rotation::Rotated, "the rotation here")
}

/// Here a token has expired, and there one has; each flush takes its own.
async fn a_neighbour_does_not_flush(ctx: Context) -> Check {
    let (here, there, record) = twins(&ctx).await?;
    ctx.advance(LIFETIME - TICK);
    let living = ctx.full_record("b")?;
    there.create(living.clone()).await?;
    ctx.advance(TICK);
    let one = Flushed {
        removed: 1,
        more: false,
    };
    same(
        &there.flush_expired(NonZeroU32::MAX).await?,
        &one,
        "the flush there",
    )?;
    same(
        &there.flush_expired(NonZeroU32::MIN).await?,
        &Flushed::default(),
        "there again",
    )?;
    same(
        &here.flush_expired(NonZeroU32::MIN).await?,
        &one,
        "the flush here",
    )?;
    is_active(&there, &living).await?;
    fails(
        here.get(&record.id).await,
        NotFound,
        "get of what was flushed",
    )?;
    Ok(())
}

async fn a_neighbour_does_not_take_part_in_a_batch(ctx: Context) -> Check {
    let neighbour = ctx.store.neighbour().await?;
    let batch = vec![ctx.full_record("a")?, ctx.full_record("b")?];
    for driver in [&ctx.driver(), &neighbour] {
        for answer in driver.create_many(batch.clone()).await? {
            answer?;
        }
        for record in &batch {
            is_active(driver, record).await?;
        }
    }
    Ok(())
}

async fn a_neighbour_refuses_cursors_from_here(ctx: Context) -> Check {
    let (here, there, _) = twins(&ctx).await?;
    let revoked = ctx.stored("ada").await?;
    here.delete(&revoked.id).await?;
    let filter = by(Anchor::User, "user-a")?;
    let first = PageRequest::new(1)?;
    let page = here.list(&filter, &first).await?;
    let answer = there.list(&filter, &first.clone().after(page.cursor)).await;
    fails(answer, InvalidInput, "list after a cursor from here")?;
    let page = here.list_revoked(&first).await?;
    let answer = there.list_revoked(&first.after(page.cursor)).await;
    fails(
        answer,
        InvalidInput,
        "list_revoked after a cursor from here",
    )?;
    Ok(())
}

async fn a_neighbour_names_another_namespace(ctx: Context) -> Check {
    let (here, there) = (ctx.driver(), ctx.store.neighbour().await?);
    let (here, there) = (here.check().await?, there.check().await?);
    same(&there.driver, &here.driver, "the driver")?;
    let apart = here.namespace != there.namespace || here.location != there.location;
    crate::check::ensure(apart, format!("both are {here:?}"))
}
