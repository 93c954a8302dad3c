//! `create` and what `get` gives back.

use tokenkeep_core::ErrorKind::{AlreadyExists, InvalidInput, NotFound};
use tokenkeep_core::{TokenId, TokenState};

use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{feed, is_absent, is_active};

cases! { Contract:
    create_then_get [R2 R4 R5],
    create_with_no_more_than_is_required [R2 R5],
    create_twice_keeps_the_first [R2],
    create_over_a_revoked_token_is_refused [R2 R7],
    create_over_a_rotated_token_is_refused [R2 R7],
    create_over_an_expired_token_takes_its_place [R1 R2],
    create_over_an_expired_revoked_token_takes_its_place [R1 R2 R7],
    create_with_an_expiry_in_the_past_is_accepted [R1 R2],
    create_with_an_expiry_of_now_is_accepted [R1 R2],
    create_refuses_any_version_but_1 [R2],
    create_refuses_a_revoked_record [R2 R7],
    create_leaves_other_tokens_alone [R2],
    create_takes_two_tokens_with_one_audit_id [R2],
    ids_that_differ_in_one_bit_are_apart [R2 R5],
    ids_of_extreme_bytes_are_apart [R2 R5],
    get_of_an_unknown_id_is_not_found [R5],
    get_changes_nothing [R5],
}

/// Every field comes back as it was given, and every anchor finds the token.
async fn create_then_get(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    is_active(&ctx.driver(), &record).await
}

/// What is absent stays absent: it becomes neither empty nor a default.
async fn create_with_no_more_than_is_required(ctx: Context) -> Check {
    let record = ctx.record("ada")?.with_data("");
    ctx.driver().create(record.clone()).await?;
    is_active(&ctx.driver(), &record).await
}

/// The second create changes no field of the first record and leaves no trace of its own.
async fn create_twice_keeps_the_first(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    fails(
        ctx.driver().create(second.clone()).await,
        AlreadyExists,
        "the second create",
    )?;
    is_active(&ctx.driver(), &first).await?;
    second.user_id = first.user_id.clone();
    fails(
        ctx.driver().create(second).await,
        AlreadyExists,
        "the third create, for the same user",
    )?;
    is_active(&ctx.driver(), &first).await
}

async fn create_over_a_revoked_token_is_refused(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    ctx.driver().delete(&first.id).await?;
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    let answer = ctx.driver().create(second.clone()).await;
    fails(answer, AlreadyExists, "create over a revoked token")?;
    is_absent(&ctx.driver(), &first).await?;
    is_absent(&ctx.driver(), &second).await?;
    same(&feed(&ctx.driver()).await?, &vec![first.id], "the feed")
}

async fn create_over_a_rotated_token_is_refused(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    let successor = ctx.full_record("successor")?;
    ctx.driver().rotate(&first.id, successor.clone()).await?;
    let answer = ctx.driver().create(first.clone()).await;
    fails(answer, AlreadyExists, "create over a rotated token")?;
    is_absent(&ctx.driver(), &first).await?;
    is_active(&ctx.driver(), &successor).await
}

/// An expired id is free although nothing was flushed.
async fn create_over_an_expired_token_takes_its_place(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    ctx.advance(LIFETIME);
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    ctx.driver().create(second.clone()).await?;
    is_active(&ctx.driver(), &second).await
}

/// A revocation ends with the token that it was of: the id's next token is active.
async fn create_over_an_expired_revoked_token_takes_its_place(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    ctx.driver().delete(&first.id).await?;
    ctx.advance(LIFETIME);
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    ctx.driver().create(second.clone()).await?;
    is_active(&ctx.driver(), &second).await?;
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

async fn create_with_an_expiry_in_the_past_is_accepted(ctx: Context) -> Check {
    let mut record = ctx.full_record("a")?;
    record.expires_at = ctx.now().saturating_sub(LIFETIME);
    ctx.driver().create(record.clone()).await?;
    is_absent(&ctx.driver(), &record).await?;
    record.expires_at = ctx.now().saturating_add(LIFETIME);
    ctx.driver().create(record.clone()).await?;
    is_active(&ctx.driver(), &record).await
}

async fn create_with_an_expiry_of_now_is_accepted(ctx: Context) -> Check {
    let mut record = ctx.full_record("a")?;
    record.expires_at = ctx.now();
    ctx.driver().create(record.clone()).await?;
    is_absent(&ctx.driver(), &record).await?;
    record.expires_at = ctx.now().saturating_add(TICK);
    ctx.driver().create(record.clone()).await?;
    is_active(&ctx.driver(), &record).await
}

async fn create_refuses_any_version_but_1(ctx: Context) -> Check {
    for version in [0, 2, u64::MAX] {
        let mut record = ctx.full_record("a")?;
        record.version = version;
        let answer = ctx.driver().create(record.clone()).await;
        fails(answer, InvalidInput, format!("create, version {version}"))?;
        is_absent(&ctx.driver(), &record).await?;
    }
    Ok(())
}

async fn create_refuses_a_revoked_record(ctx: Context) -> Check {
    let mut record = ctx.full_record("a")?;
    record.state = TokenState::Revoked {
        at: ctx.now(),
        successor: None,
    };
    let answer = ctx.driver().create(record.clone()).await;
    fails(answer, InvalidInput, "create of a revoked record")?;
    is_absent(&ctx.driver(), &record).await?;
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

async fn create_leaves_other_tokens_alone(ctx: Context) -> Check {
    let one = ctx.stored_full("a").await?;
    let two = ctx.stored_full("a").await?;
    let three = ctx.stored_full("b").await?;
    for record in [&one, &two, &three] {
        is_active(&ctx.driver(), record).await?;
    }
    Ok(())
}

/// Only the id is unique.
async fn create_takes_two_tokens_with_one_audit_id(ctx: Context) -> Check {
    let one = ctx.stored_full("a").await?;
    let mut two = ctx.full_record("a")?;
    two.audit_id = one.audit_id.clone();
    ctx.driver().create(two.clone()).await?;
    is_active(&ctx.driver(), &one).await?;
    is_active(&ctx.driver(), &two).await
}

async fn ids_that_differ_in_one_bit_are_apart(ctx: Context) -> Check {
    let bytes = *ctx.new_id().as_bytes();
    let mut records = Vec::new();
    for bit in 0..TokenId::LEN * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut record = ctx.record("ada")?;
        record.id = TokenId::from_bytes(flipped);
        ctx.driver().create(record.clone()).await?;
        records.push(record);
    }
    for record in &records {
        let found = ctx.driver().get(&record.id).await?;
        same(&found, record, "the record of an id one bit off")?;
    }
    let answer = ctx.driver().get(&TokenId::from_bytes(bytes)).await;
    fails(answer, NotFound, "get of the id between them")?;
    Ok(())
}

/// Ids of nothing but one byte, NUL and 0xff among them.
async fn ids_of_extreme_bytes_are_apart(ctx: Context) -> Check {
    let mut records = Vec::new();
    for byte in [0x00, 0x01, 0x0a, 0x20, 0x25, 0x2f, 0x3a, 0x5c, 0x7f, 0xff] {
        let mut record = ctx.record("ada")?;
        record.id = TokenId::from_bytes([byte; TokenId::LEN]);
        ctx.driver().create(record.clone()).await?;
        records.push(record);
    }
    for record in &records {
        is_active(&ctx.driver(), record).await?;
    }
    Ok(())
}

async fn get_of_an_unknown_id_is_not_found(ctx: Context) -> Check {
    let answer = ctx.driver().get(&ctx.new_id()).await;
    fails(answer, NotFound, "get from an empty store")?;
    ctx.stored("ada").await?;
    let answer = ctx.driver().get(&ctx.new_id()).await;
    fails(answer, NotFound, "get of an unknown id")?;
    Ok(())
}

async fn get_changes_nothing(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    for _ in 0..3 {
        let found = ctx.driver().get(&record.id).await?;
        same(&found, &record, "the record, got again")?;
    }
    is_active(&ctx.driver(), &record).await
}
