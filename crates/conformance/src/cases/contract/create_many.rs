//! `create_many`: an answer for each record, in order, as `create` would give it.

use tokenkeep_core::ErrorKind::{AlreadyExists, InvalidInput};
use tokenkeep_core::{Anchor, ErrorKind, Limits, Result, TokenRecord, TokenState};

use crate::case::cases;
use crate::check::{Check, same};
use crate::context::{Context, LIFETIME};
use crate::probe::{by, feed, ids, is_absent, is_active, listed};

cases! { Contract:
    create_many_of_none_is_fine [R14],
    create_many_stores_each [R14],
    create_many_refuses_the_second_of_a_pair [R14],
    create_many_refuses_taken_ids_alone [R2 R14],
    create_many_refuses_unfit_records_alone [R14],
    create_many_takes_expired_records [R1 R14],
    create_many_over_expired_tokens [R1 R14],
    create_many_is_creates_in_a_row [R1 R2 R14],
    create_many_of_thousands [R14],
    create_many_of_large_records [R14],
}

/// Stores a batch; gives what became of each record, none for success.
async fn stored(ctx: &Context, batch: &[TokenRecord]) -> Check<Vec<Option<ErrorKind>>> {
    let kind = |answer: Result<()>| answer.err().map(|error| error.kind());
    let answers = ctx.driver().create_many(batch.to_vec()).await?;
    Ok(answers.into_iter().map(kind).collect())
}

async fn create_many_of_none_is_fine(ctx: Context) -> Check {
    same(&stored(&ctx, &[]).await?, &vec![], "the answers")
}

async fn create_many_stores_each(ctx: Context) -> Check {
    let batch = ["a", "b", "a", "c"]
        .into_iter()
        .map(|tag| ctx.full_record(tag))
        .collect::<Check<Vec<_>>>()?;
    same(&stored(&ctx, &batch).await?, &vec![None; 4], "the answers")?;
    for record in &batch {
        is_active(&ctx.driver(), record).await?;
    }
    Ok(())
}

async fn create_many_refuses_the_second_of_a_pair(ctx: Context) -> Check {
    let first = ctx.full_record("first")?;
    let between = ctx.full_record("between")?;
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    let batch = [first.clone(), between.clone(), second];
    let wanted = vec![None, None, Some(AlreadyExists)];
    same(&stored(&ctx, &batch).await?, &wanted, "the answers")?;
    is_active(&ctx.driver(), &first).await?;
    is_active(&ctx.driver(), &between).await?;
    let found = listed(&ctx.driver(), &by(Anchor::User, "user-second")?).await?;
    same(&found.len(), &0, "how many of the second are listed")
}

async fn create_many_refuses_taken_ids_alone(ctx: Context) -> Check {
    let active = ctx.stored_full("active").await?;
    let revoked = ctx.stored_full("revoked").await?;
    ctx.driver().delete(&revoked.id).await?;
    let mut batch = Vec::new();
    for (number, taken) in [None, Some(active.id), None, Some(revoked.id), None]
        .into_iter()
        .enumerate()
    {
        let mut record = ctx.full_record(&format!("batch {number}"))?;
        record.id = taken.unwrap_or(record.id);
        batch.push(record);
    }
    let refused = Some(AlreadyExists);
    let wanted = vec![None, refused, None, refused, None];
    same(&stored(&ctx, &batch).await?, &wanted, "the answers")?;
    for number in [0, 2, 4] {
        is_active(&ctx.driver(), &batch[number]).await?;
    }
    is_active(&ctx.driver(), &active).await?;
    is_absent(&ctx.driver(), &revoked).await?;
    same(&feed(&ctx.driver()).await?, &vec![revoked.id], "the feed")
}

async fn create_many_refuses_unfit_records_alone(ctx: Context) -> Check {
    let mut batch = Vec::new();
    for _ in 0..5 {
        batch.push(ctx.full_record("a")?);
    }
    batch[1].data = vec![b'x'; Limits::default().max_data_len + 1].into();
    batch[2].version = 2;
    batch[3].state = TokenState::Revoked {
        at: ctx.now(),
        successor: None,
    };
    let refused = Some(InvalidInput);
    let wanted = vec![None, refused, refused, refused, None];
    same(&stored(&ctx, &batch).await?, &wanted, "the answers")?;
    let found = listed(&ctx.driver(), &by(Anchor::User, "user-a")?).await?;
    same(&found, &ids([&batch[0], &batch[4]]), "the listing")
}

async fn create_many_takes_expired_records(ctx: Context) -> Check {
    let mut batch = vec![ctx.full_record("a")?, ctx.full_record("a")?];
    batch[0].expires_at = ctx.now();
    same(&stored(&ctx, &batch).await?, &vec![None; 2], "the answers")?;
    is_absent(&ctx.driver(), &batch[0]).await?;
    is_active(&ctx.driver(), &batch[1]).await
}

async fn create_many_over_expired_tokens(ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    let revoked = ctx.stored_full("first").await?;
    ctx.driver().delete(&revoked.id).await?;
    ctx.advance(LIFETIME);
    let mut batch = vec![ctx.full_record("second")?, ctx.full_record("second")?];
    batch[0].id = first.id;
    batch[1].id = revoked.id;
    same(&stored(&ctx, &batch).await?, &vec![None; 2], "the answers")?;
    for record in &batch {
        is_active(&ctx.driver(), record).await?;
    }
    let found = listed(&ctx.driver(), &by(Anchor::User, "user-first")?).await?;
    same(&found.len(), &0, "how many of the first are listed")
}

/// An expired record holds its id against nobody, in a batch as elsewhere.
async fn create_many_is_creates_in_a_row(ctx: Context) -> Check {
    let mut expired = ctx.full_record("expired")?;
    expired.expires_at = ctx.now();
    let mut winner = ctx.full_record("winner")?;
    let mut late = ctx.full_record("late")?;
    winner.id = expired.id;
    late.id = expired.id;
    let batch = [expired, winner.clone(), late];
    let wanted = vec![None, None, Some(AlreadyExists)];
    same(&stored(&ctx, &batch).await?, &wanted, "the answers")?;
    is_active(&ctx.driver(), &winner).await?;
    for user in ["user-expired", "user-late"] {
        let found = listed(&ctx.driver(), &by(Anchor::User, user)?).await?;
        same(
            &found.len(),
            &0,
            format!("how many tokens of {user} are listed"),
        )?;
    }
    ctx.advance(LIFETIME);
    let flushed = ctx
        .driver()
        .flush_expired(std::num::NonZeroU32::MAX)
        .await?;
    same(&flushed.removed, &1, "how many tokens were left to flush")
}

async fn create_many_of_thousands(ctx: Context) -> Check {
    let batch = (0..3_000)
        .map(|number| ctx.record(&format!("user {}", number % 3)))
        .collect::<Check<Vec<_>>>()?;
    same(
        &stored(&ctx, &batch).await?,
        &vec![None; 3_000],
        "the answers",
    )?;
    for user in 0..3 {
        let found = listed(&ctx.driver(), &by(Anchor::User, &format!("user {user}"))?).await?;
        let wanted = ids(batch.iter().skip(user).step_by(3));
        same(&(found == wanted), &true, "each third is listed whole")?;
    }
    Ok(())
}

/// 4 MiB in one call: more than one packet or statement of many stores takes.
async fn create_many_of_large_records(ctx: Context) -> Check {
    let length = Limits::default().max_data_len;
    let batch = (0..64u8)
        .map(|fill| Ok(ctx.record("ada")?.with_data(vec![fill; length])))
        .collect::<Check<Vec<_>>>()?;
    same(&stored(&ctx, &batch).await?, &vec![None; 64], "the answers")?;
    for record in &batch {
        let found = ctx.driver().get(&record.id).await?;
        same(
            &(found == *record),
            &true,
            "a large record comes back as it was",
        )?;
    }
    Ok(())
}
