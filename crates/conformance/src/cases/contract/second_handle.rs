//! Two handles on one store, as two nodes have them: what one did, the other sees at once.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokenkeep_core::ErrorKind::{AlreadyExists, Conflict, NotFound};
use tokenkeep_core::{Anchor, PageRequest, Replacement, Rotation, TokenRecord};

use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::{Context, LIFETIME};
use crate::probe::{Driver, Pages, by, feed, feed_after, ids, is_absent, is_active, listed};

cases! { Contract:
    a_second_handle_sees_a_create [R2 R4],
    a_second_handle_sees_a_delete [R4 R6],
    a_second_handle_sees_a_bulk_revocation [R4 R8],
    a_second_handle_sees_a_replace [R4 R11],
    a_second_handle_sees_a_rotation [R4 R12],
    a_second_handle_sees_a_batch [R4 R14],
    a_second_handle_sees_a_flush [R4 R13],
    a_second_handle_goes_on_with_the_feed [R4 R10],
    a_second_handle_goes_on_with_a_listing [R4 R9],
    a_second_handle_says_the_same_of_the_store [R4 R19],
    a_second_handle_outlives_the_first_calls [R4],
}

/// Both handles.
async fn both(ctx: &Context) -> Check<(Driver, Driver)> {
    Ok((ctx.driver(), ctx.store.second_handle().await?))
}

async fn a_second_handle_sees_a_create(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    for (here, there) in [(&first, &second), (&second, &first)] {
        let record = ctx.full_record("a")?;
        let answer = there.get(&record.id).await;
        fails(answer, NotFound, "get before the create")?;
        here.create(record.clone()).await?;
        is_active(there, &record).await?;
        let answer = there.create(record).await;
        fails(answer, AlreadyExists, "create by the other handle")?;
    }
    Ok(())
}

async fn a_second_handle_sees_a_delete(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    for (here, there) in [(&first, &second), (&second, &first)] {
        let record = ctx.stored_full("a").await?;
        is_active(there, &record).await?;
        here.delete(&record.id).await?;
        is_absent(there, &record).await?;
        let answer = there.delete(&record.id).await;
        fails(answer, NotFound, "delete by the other handle")?;
    }
    same(
        &feed(&first).await?,
        &feed(&second).await?,
        "the feed of both",
    )
}

async fn a_second_handle_sees_a_bulk_revocation(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    for (here, there) in [(&first, &second), (&second, &first)] {
        let record = ctx.full_record("a")?;
        there.create(record.clone()).await?;
        let filter = by(Anchor::Tenant, "tenant-a")?;
        same(
            &listed(here, &filter).await?,
            &ids([&record]),
            "the listing",
        )?;
        let revoked = here.delete_tokens(&filter).await?;
        same(&revoked, &vec![record.id], "what was revoked")?;
        is_absent(there, &record).await?;
    }
    Ok(())
}

async fn a_second_handle_sees_a_replace(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    let record = ctx.stored_full("a").await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: "changed".into(),
    };
    first.replace(change.clone(), 1).await?;
    let answer = second.replace(change.clone(), 1).await;
    fails(
        answer,
        Conflict,
        "replace of the old version by the other handle",
    )?;
    let changed = TokenRecord {
        expires_at: change.expires_at,
        data: change.data.clone(),
        version: 2,
        ..record
    };
    is_active(&second, &changed).await?;
    same(&second.replace(change, 2).await?, &3, "the next version")
}

async fn a_second_handle_sees_a_rotation(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    let old = ctx.stored_full("a").await?;
    let successor = ctx.full_record("b")?;
    first.rotate(&old.id, successor.clone()).await?;
    let answer = second.rotate(&old.id, ctx.full_record("c")?).await?;
    let used = Rotation::AlreadyUsed {
        at: ctx.now(),
        successor: Some(successor.id),
    };
    same(&answer, &used, "rotate by the other handle")?;
    is_absent(&second, &old).await?;
    is_active(&second, &successor).await
}

async fn a_second_handle_sees_a_batch(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    let batch = vec![ctx.full_record("a")?, ctx.full_record("b")?];
    for answer in first.create_many(batch.clone()).await? {
        answer?;
    }
    for record in &batch {
        is_active(&second, record).await?;
    }
    for answer in second.create_many(batch).await? {
        fails(answer, AlreadyExists, "the same batch by the other handle")?;
    }
    Ok(())
}

async fn a_second_handle_sees_a_flush(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    ctx.stored("ada").await?;
    ctx.advance(LIFETIME);
    same(
        &first.flush_expired(NonZeroU32::MAX).await?.removed,
        &1,
        "the first flush",
    )?;
    same(
        &second.flush_expired(NonZeroU32::MAX).await?.removed,
        &0,
        "the second flush",
    )
}

async fn a_second_handle_goes_on_with_the_feed(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    let mut wanted = Vec::new();
    for (here, _) in [(&first, &second), (&second, &first)] {
        for _ in 0..3 {
            let record = ctx.stored("ada").await?;
            here.delete(&record.id).await?;
            wanted.push(record.id);
        }
    }
    same(
        &feed(&first).await?,
        &wanted,
        "the feed of the first handle",
    )?;
    let page = first.list_revoked(&PageRequest::new(2)?).await?;
    let (rest, _) = feed_after(&second, page.cursor, 2).await?;
    let rest: Vec<_> = rest.into_iter().map(|item| item.id).collect();
    same(
        &rest,
        &wanted[2..].to_vec(),
        "the rest by the second handle",
    )
}

async fn a_second_handle_goes_on_with_a_listing(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    let mut wanted = Vec::new();
    for _ in 0..7 {
        wanted.push(ctx.stored("ada").await?);
    }
    let filter = by(Anchor::User, "ada")?;
    let mut pages = Pages::new(Arc::clone(&first), filter, 2)?;
    for handle in [second, first].iter().cycle() {
        if pages.next().await?.is_none() {
            break;
        }
        pages.go_on_with(Arc::clone(handle));
    }
    same(
        pages.seen(),
        &ids(&wanted),
        "what both handles listed in turn",
    )
}

async fn a_second_handle_says_the_same_of_the_store(ctx: Context) -> Check {
    let (first, second) = both(&ctx).await?;
    let (one, two) = (first.check().await?, second.check().await?);
    same(&two.driver, &one.driver, "driver")?;
    same(&two.location, &one.location, "location")?;
    same(&two.namespace, &one.namespace, "namespace")
}

/// Handles come and go; the store stays.
async fn a_second_handle_outlives_the_first_calls(ctx: Context) -> Check {
    let record = ctx.full_record("a")?;
    for round in 0..5 {
        let handle = ctx.store.second_handle().await?;
        if round == 0 {
            handle.create(record.clone()).await?;
        }
        is_active(&handle, &record).await?;
    }
    is_active(&ctx.driver(), &record).await
}
