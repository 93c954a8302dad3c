//! `delete`: a token is revoked once, and for good.

use tokenkeep_core::ErrorKind::{AlreadyExists, NotFound};
use tokenkeep_core::{Replacement, Rotation};

use crate::case::cases;
use crate::check::{Check, ensure, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{feed, is_absent, is_active};

cases! { Contract:
    delete_then_get_is_not_found [R5 R6],
    delete_twice_is_not_found [R6],
    delete_of_an_unknown_id_is_not_found [R6],
    delete_leaves_other_tokens_alone [R6],
    delete_takes_the_token_out_of_every_listing [R6 R9],
    delete_leaves_the_family_alone [R6],
    delete_of_a_rotated_token_is_not_found [R6 R12],
    delete_of_a_successor_leaves_the_rest_revoked [R6 R7 R12],
    revoked_is_final_for_every_method [R7],
    revoked_stays_revoked_until_it_expires [R1 R7],
}

async fn delete_then_get_is_not_found(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    ctx.driver().delete(&record.id).await?;
    let answer = ctx.driver().get(&record.id).await;
    fails(answer, NotFound, "get after delete")?;
    Ok(())
}

async fn delete_twice_is_not_found(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    ctx.driver().delete(&record.id).await?;
    for again in ["second", "third"] {
        let answer = ctx.driver().delete(&record.id).await;
        fails(answer, NotFound, format!("the {again} delete"))?;
    }
    same(&feed(&ctx.driver()).await?, &vec![record.id], "the feed")
}

async fn delete_of_an_unknown_id_is_not_found(ctx: Context) -> Check {
    let answer = ctx.driver().delete(&ctx.new_id()).await;
    fails(answer, NotFound, "delete from an empty store")?;
    let record = ctx.stored_full("a").await?;
    let answer = ctx.driver().delete(&ctx.new_id()).await;
    fails(answer, NotFound, "delete of an unknown id")?;
    is_active(&ctx.driver(), &record).await?;
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

/// A neighbour with the same value at every anchor stays, in every listing.
async fn delete_leaves_other_tokens_alone(ctx: Context) -> Check {
    let one = ctx.stored_full("a").await?;
    let two = ctx.stored_full("a").await?;
    let three = ctx.stored_full("a").await?;
    ctx.driver().delete(&two.id).await?;
    is_active(&ctx.driver(), &one).await?;
    is_active(&ctx.driver(), &three).await
}

async fn delete_takes_the_token_out_of_every_listing(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.stored_full("a").await?;
    ctx.driver().delete(&record.id).await?;
    is_absent(&ctx.driver(), &record).await
}

/// Tokens of one audit chain are revoked one by one unless asked otherwise.
async fn delete_leaves_the_family_alone(ctx: Context) -> Check {
    let first = ctx.stored("ada").await?;
    let second = ctx.record("ada")?.with_audit_chain(&first.audit_id)?;
    ctx.driver().create(second.clone()).await?;
    ctx.driver().delete(&first.id).await?;
    is_active(&ctx.driver(), &second).await
}

async fn delete_of_a_rotated_token_is_not_found(ctx: Context) -> Check {
    let old = ctx.stored("ada").await?;
    let successor = ctx.record("ada")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    let answer = ctx.driver().delete(&old.id).await;
    fails(answer, NotFound, "delete of a rotated token")?;
    is_active(&ctx.driver(), &successor).await?;
    same(&feed(&ctx.driver()).await?, &vec![old.id], "the feed")
}

async fn delete_of_a_successor_leaves_the_rest_revoked(ctx: Context) -> Check {
    let old = ctx.stored("ada").await?;
    let successor = ctx.record("ada")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    ctx.driver().delete(&successor.id).await?;
    is_absent(&ctx.driver(), &successor).await?;
    is_absent(&ctx.driver(), &old).await?;
    let wanted = vec![old.id, successor.id];
    same(&feed(&ctx.driver()).await?, &wanted, "the feed")
}

/// Whatever is tried on a revoked token, it stays revoked as it was.
async fn revoked_is_final_for_every_method(ctx: Context) -> Check {
    let driver = ctx.driver();
    let record = ctx.stored_full("a").await?;
    driver.delete(&record.id).await?;
    let revoked_at = ctx.now();
    ctx.advance(TICK);

    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: record.data.clone(),
    };
    for version in [1, 2] {
        let answer = driver.replace(change.clone(), version).await;
        fails(answer, NotFound, format!("replace of version {version}"))?;
    }
    let answer = driver.create(record.clone()).await;
    fails(answer, AlreadyExists, "create")?;
    let answers = driver.create_many(vec![record.clone()]).await?;
    let refused = answers
        .iter()
        .all(|answer| matches!(answer, Err(error) if error.kind() == AlreadyExists));
    ensure(refused && answers.len() == 1, "create_many was not refused")?;
    let answer = driver.rotate(&record.id, ctx.full_record("a")?).await?;
    let used = Rotation::AlreadyUsed {
        at: revoked_at,
        successor: None,
    };
    same(&answer, &used, "rotate")?;

    is_absent(&driver, &record).await?;
    same(&feed(&driver).await?, &vec![record.id], "the feed")
}

async fn revoked_stays_revoked_until_it_expires(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.driver().delete(&record.id).await?;
    ctx.advance(LIFETIME - TICK);
    is_absent(&ctx.driver(), &record).await?;
    let answer = ctx.driver().create(record.clone()).await;
    fails(answer, AlreadyExists, "create a tick before expiry")?;
    ctx.advance(TICK);
    is_absent(&ctx.driver(), &record).await
}
