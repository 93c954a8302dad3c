//! `rotate`: the old token is revoked and its successor created, once.

use tokenkeep_core::ErrorKind::{AlreadyExists, InvalidInput, NotFound};
use tokenkeep_core::{Anchor, Limits, Rotation, TokenFilter, TokenRecord, TokenState};

use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{by, feed, ids, is_absent, is_active, listed};

cases! { Contract:
    rotate_revokes_the_old_and_stores_the_new [R12],
    rotate_takes_a_successor_unlike_the_old [R12],
    rotate_again_answers_already_used [R12],
    rotate_of_a_deleted_token_answers_without_a_successor [R12],
    rotate_of_a_bulk_revoked_token_answers_without_a_successor [R8 R12],
    rotate_of_an_unknown_id_is_not_found [R12],
    rotate_to_a_taken_id_keeps_the_old [R2 R12],
    rotate_to_a_revoked_id_keeps_the_old [R2 R7 R12],
    rotate_to_an_expired_id_succeeds [R1 R12],
    rotate_to_the_same_id_keeps_the_old [R12],
    rotate_to_an_unfit_record_keeps_the_old [R12],
    rotate_looks_at_the_old_token_first [R12],
    rotate_to_a_successor_that_has_expired [R1 R12],
    rotate_ten_times_in_a_row [R12],
    rotate_after_replace [R11 R12],
    rotate_leaves_other_tokens_alone [R12],
    a_rotated_family_is_revoked_by_its_chain [R8 R12],
}

async fn rotate_revokes_the_old_and_stores_the_new(ctx: Context) -> Check {
    let old = ctx.stored_full("a").await?;
    let successor = ctx.full_record("a")?;
    let answer = ctx.driver().rotate(&old.id, successor.clone()).await?;
    same(&answer, &Rotation::Rotated, "the answer")?;
    is_absent(&ctx.driver(), &old).await?;
    is_active(&ctx.driver(), &successor).await?;
    same(&feed(&ctx.driver()).await?, &vec![old.id], "the feed")
}

/// The successor is found by its own values, and the old token's values find nothing.
async fn rotate_takes_a_successor_unlike_the_old(ctx: Context) -> Check {
    let old = ctx.stored_full("old").await?;
    let successor = ctx.full_record("new")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    is_active(&ctx.driver(), &successor).await?;
    for anchor in Anchor::ALL {
        let value = anchor.of(&old).map_or("", |value| value);
        let revoked = ctx.driver().delete_tokens(&by(anchor, value)?).await?;
        same(&revoked, &vec![], format!("revoked by the old {anchor:?}"))?;
    }
    let revoked = ctx
        .driver()
        .delete_tokens(&by(Anchor::Trust, "trust-new")?)
        .await?;
    same(&revoked, &vec![successor.id], "revoked by the new trust")
}

/// Every later answer says when the first rotation was and who took the token's place.
async fn rotate_again_answers_already_used(ctx: Context) -> Check {
    let old = ctx.stored("ada").await?;
    let successor = ctx.record("ada")?;
    ctx.driver().rotate(&old.id, successor.clone()).await?;
    let used = Rotation::AlreadyUsed {
        at: ctx.now(),
        successor: Some(successor.id),
    };
    for _ in 0..3 {
        ctx.advance(TICK);
        let late = ctx.full_record("late")?;
        let answer = ctx.driver().rotate(&old.id, late.clone()).await?;
        same(&answer, &used, "the answer to a late rotation")?;
        is_absent(&ctx.driver(), &late).await?;
    }
    let answer = ctx.driver().rotate(&old.id, successor.clone()).await?;
    same(&answer, &used, "the answer to the same rotation again")?;
    ctx.driver().delete(&successor.id).await?;
    let answer = ctx.driver().rotate(&old.id, ctx.record("ada")?).await?;
    same(&answer, &used, "the answer once the successor is revoked")
}

async fn rotate_of_a_deleted_token_answers_without_a_successor(ctx: Context) -> Check {
    let old = ctx.stored("ada").await?;
    ctx.driver().delete(&old.id).await?;
    used_without_successor(ctx, &old).await
}

async fn rotate_of_a_bulk_revoked_token_answers_without_a_successor(ctx: Context) -> Check {
    let old = ctx.stored("ada").await?;
    ctx.driver()
        .delete_tokens(&by(Anchor::User, "ada")?)
        .await?;
    used_without_successor(ctx, &old).await
}

async fn used_without_successor(ctx: Context, old: &TokenRecord) -> Check {
    let used = Rotation::AlreadyUsed {
        at: ctx.now(),
        successor: None,
    };
    ctx.advance(TICK);
    let late = ctx.full_record("late")?;
    let answer = ctx.driver().rotate(&old.id, late.clone()).await?;
    same(&answer, &used, "the answer")?;
    is_absent(&ctx.driver(), &late).await
}

async fn rotate_of_an_unknown_id_is_not_found(ctx: Context) -> Check {
    let successor = ctx.full_record("a")?;
    let answer = ctx.driver().rotate(&ctx.new_id(), successor.clone()).await;
    fails(answer, NotFound, "rotate of an unknown id")?;
    is_absent(&ctx.driver(), &successor).await
}

async fn rotate_to_a_taken_id_keeps_the_old(ctx: Context) -> Check {
    let old = ctx.stored_full("old").await?;
    let taken = ctx.stored_full("taken").await?;
    let mut successor = ctx.full_record("new")?;
    successor.id = taken.id;
    let answer = ctx.driver().rotate(&old.id, successor).await;
    fails(answer, AlreadyExists, "rotate to a taken id")?;
    is_active(&ctx.driver(), &old).await?;
    is_active(&ctx.driver(), &taken).await?;
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

async fn rotate_to_a_revoked_id_keeps_the_old(ctx: Context) -> Check {
    let old = ctx.stored_full("old").await?;
    let taken = ctx.stored_full("taken").await?;
    ctx.driver().delete(&taken.id).await?;
    let mut successor = ctx.full_record("new")?;
    successor.id = taken.id;
    let answer = ctx.driver().rotate(&old.id, successor).await;
    fails(answer, AlreadyExists, "rotate to a revoked id")?;
    is_active(&ctx.driver(), &old).await?;
    is_absent(&ctx.driver(), &taken).await
}

async fn rotate_to_an_expired_id_succeeds(ctx: Context) -> Check {
    let gone = ctx.stored_full("gone").await?;
    ctx.advance(LIFETIME);
    let old = ctx.stored_full("old").await?;
    let mut successor = ctx.full_record("new")?;
    successor.id = gone.id;
    let answer = ctx.driver().rotate(&old.id, successor.clone()).await?;
    same(&answer, &Rotation::Rotated, "the answer")?;
    is_active(&ctx.driver(), &successor).await
}

async fn rotate_to_the_same_id_keeps_the_old(ctx: Context) -> Check {
    let old = ctx.stored_full("old").await?;
    let mut successor = ctx.full_record("new")?;
    successor.id = old.id;
    let answer = ctx.driver().rotate(&old.id, successor).await;
    fails(answer, InvalidInput, "rotate of a token to itself")?;
    is_active(&ctx.driver(), &old).await?;
    same(&feed(&ctx.driver()).await?, &vec![], "the feed")
}

/// Records that `create` would refuse as well.
fn unfit(ctx: &Context) -> Check<Vec<TokenRecord>> {
    let too_long = vec![b'x'; Limits::default().max_data_len + 1];
    let mut second = ctx.record("ada")?;
    second.version = 2;
    let mut revoked = ctx.record("ada")?;
    revoked.state = TokenState::Revoked {
        at: ctx.now(),
        successor: None,
    };
    Ok(vec![
        ctx.record("ada")?.with_data(too_long),
        second,
        revoked,
    ])
}

async fn rotate_to_an_unfit_record_keeps_the_old(ctx: Context) -> Check {
    let old = ctx.stored_full("old").await?;
    for successor in unfit(&ctx)? {
        let answer = ctx.driver().rotate(&old.id, successor.clone()).await;
        fails(answer, InvalidInput, "rotate to an unfit record")?;
        is_absent(&ctx.driver(), &successor).await?;
        is_active(&ctx.driver(), &old).await?;
    }
    Ok(())
}

/// A used or missing old token is answered, whatever is wrong with the successor.
async fn rotate_looks_at_the_old_token_first(ctx: Context) -> Check {
    let used = ctx.stored("ada").await?;
    ctx.driver().delete(&used.id).await?;
    let mut successors = unfit(&ctx)?;
    successors.push(ctx.stored("ada").await?);
    successors.push(used.clone());
    for successor in successors {
        let answer = ctx.driver().rotate(&ctx.new_id(), successor.clone()).await;
        fails(
            answer,
            NotFound,
            "rotate of an unknown id to an unfit record",
        )?;
        let answer = ctx.driver().rotate(&used.id, successor).await?;
        let wanted = Rotation::AlreadyUsed {
            at: ctx.now(),
            successor: None,
        };
        same(
            &answer,
            &wanted,
            "rotate of a used token to an unfit record",
        )?;
    }
    Ok(())
}

/// As with create, an expiry that has passed is accepted: the old token is used up all the same.
async fn rotate_to_a_successor_that_has_expired(ctx: Context) -> Check {
    let old = ctx.stored_full("old").await?;
    let mut successor = ctx.full_record("new")?;
    successor.expires_at = ctx.now();
    let answer = ctx.driver().rotate(&old.id, successor.clone()).await?;
    same(&answer, &Rotation::Rotated, "the answer")?;
    is_absent(&ctx.driver(), &old).await?;
    is_absent(&ctx.driver(), &successor).await
}

async fn rotate_ten_times_in_a_row(ctx: Context) -> Check {
    let mut chain = vec![ctx.stored("ada").await?];
    for _ in 0..10 {
        ctx.advance(TICK);
        let successor = ctx.record("ada")?;
        let old = chain.last().map(|last| last.id).unwrap_or(successor.id);
        ctx.driver().rotate(&old, successor.clone()).await?;
        chain.push(successor);
    }
    for pair in chain.windows(2) {
        let answer = ctx.driver().rotate(&pair[0].id, ctx.record("ada")?).await?;
        let used = Rotation::AlreadyUsed {
            at: pair[1].issued_at,
            successor: Some(pair[1].id),
        };
        same(&answer, &used, "what became of a link of the chain")?;
    }
    let last = ids(chain.last());
    same(
        &listed(&ctx.driver(), &by(Anchor::User, "ada")?).await?,
        &last,
        "the listing",
    )
}

async fn rotate_after_replace(ctx: Context) -> Check {
    let old = ctx.stored_full("a").await?;
    let change = tokenkeep_core::Replacement {
        id: old.id,
        expires_at: old.expires_at.saturating_add(LIFETIME),
        data: "changed".into(),
    };
    ctx.driver().replace(change, 1).await?;
    let mut successor = ctx.full_record("a")?;
    successor.expires_at = old.expires_at.saturating_add(LIFETIME * 2);
    let answer = ctx.driver().rotate(&old.id, successor.clone()).await?;
    same(&answer, &Rotation::Rotated, "the answer")?;
    ctx.advance(LIFETIME * 2 - TICK);
    let answer = ctx.driver().rotate(&old.id, ctx.record("ada")?).await?;
    let used = Rotation::AlreadyUsed {
        at: old.issued_at,
        successor: Some(successor.id),
    };
    same(&answer, &used, "the answer until the replaced expiry")?;
    is_active(&ctx.driver(), &successor).await
}

async fn rotate_leaves_other_tokens_alone(ctx: Context) -> Check {
    let old = ctx.stored_full("a").await?;
    let other = ctx.stored_full("a").await?;
    ctx.driver().rotate(&old.id, ctx.full_record("a")?).await?;
    is_active(&ctx.driver(), &other).await
}

async fn a_rotated_family_is_revoked_by_its_chain(ctx: Context) -> Check {
    let first = ctx.stored("ada").await?;
    let successor = ctx.record("ada")?.with_audit_chain(&first.audit_id)?;
    ctx.driver().rotate(&first.id, successor.clone()).await?;
    let stranger = ctx.stored("ada").await?;
    let filter = TokenFilter::new()
        .with_user("ada")?
        .with_audit_chain(&first.audit_id)?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked, &vec![successor.id], "what was revoked")?;
    is_active(&ctx.driver(), &stranger).await
}
