//! The backend is gone, and comes back with its data.

use tokenkeep_core::{Anchor, Result};

use super::calls::{Call, all_at_once, settle};
use super::recovery::keep_their_word;
use super::{bound, recovered};
use crate::case::cases;
use crate::check::{Check, same};
use crate::context::Context;
use crate::probe::{by, feed, is_absent, is_active};
use crate::stories::{hold, only_the_backend_failed};
use crate::writers::Writers;

cases! { Faults:
    a_stopped_backend_bounds_every_call [R16],
    a_stopped_backend_is_told_from_an_empty_store [R16],
    a_stopped_backend_bounds_many_calls_at_once [R16],
    a_started_backend_is_as_the_errors_said [R16 R17],
    a_started_backend_is_used_again [R4 R15 R16],
    a_started_backend_still_has_what_was_revoked [R7 R8 R15],
    writers_over_a_stop_were_told_the_truth [R12 R15 R16],
    stops_in_a_row_are_survived [R15 R16],
    writers_go_on_over_restarts [R4 R12 R15 R16],
}

/// Makes these calls while the backend is gone; it is started again.
async fn answers_while_stopped(ctx: &Context, calls: &[Call]) -> Check<Vec<Result<()>>> {
    ctx.store.stop().await?;
    let answers = all_at_once(&ctx.driver(), calls, bound(ctx)).await;
    ctx.store.start().await?;
    answers
}

async fn a_stopped_backend_bounds_every_call(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    answers_while_stopped(&ctx, &calls).await.map(drop)
}

/// An error, never `NotFound` and never an empty answer; the second time as well, when the driver
/// knows that the backend is gone.
async fn a_stopped_backend_is_told_from_an_empty_store(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    let twice = [calls.clone(), calls].concat();
    let answers = answers_while_stopped(&ctx, &twice).await?;
    twice
        .iter()
        .zip(&answers)
        .try_for_each(|(call, answer)| call.may_answer(answer))
}

async fn a_stopped_backend_bounds_many_calls_at_once(ctx: Context) -> Check {
    let one_of_each = Call::one_of_each(&ctx).await?;
    let calls: Vec<_> = one_of_each.iter().cycle().take(220).cloned().collect();
    answers_while_stopped(&ctx, &calls).await.map(drop)
}

async fn a_started_backend_is_as_the_errors_said(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    let answers = answers_while_stopped(&ctx, &calls).await?;
    keep_their_word(&ctx, &calls, &answers).await
}

async fn a_started_backend_is_used_again(ctx: Context) -> Check {
    let before = ctx.stored_full("before").await?;
    let calls = Call::one_of_each(&ctx).await?;
    answers_while_stopped(&ctx, &calls).await?;
    recovered(&ctx).await?;
    is_active(&ctx.driver(), &before).await?;
    let after = ctx.stored_full("after").await?;
    is_active(&ctx.driver(), &after).await
}

async fn a_started_backend_still_has_what_was_revoked(ctx: Context) -> Check {
    let deleted = ctx.stored_full("a").await?;
    ctx.driver().delete(&deleted.id).await?;
    let bulk = ctx.stored_full("a").await?;
    ctx.driver()
        .delete_tokens(&by(Anchor::User, "user-a")?)
        .await?;
    answers_while_stopped(&ctx, &[]).await?;
    recovered(&ctx).await?;
    is_absent(&ctx.driver(), &deleted).await?;
    is_absent(&ctx.driver(), &bulk).await?;
    let wanted = vec![deleted.id, bulk.id];
    same(&feed(&ctx.driver()).await?, &wanted, "the feed")
}

async fn writers_over_a_stop_were_told_the_truth(ctx: Context) -> Check {
    let mut writers = Writers::start(&ctx, "stopped", 4);
    writers.acknowledged(100).await?;
    ctx.store.stop().await?;
    let ended = writers.all_ended().await;
    ctx.store.start().await?;
    ended?;
    recovered(&ctx).await?;
    settle(&ctx.driver()).await?;
    hold(&ctx.driver(), &writers.stories().await).await
}

async fn stops_in_a_row_are_survived(ctx: Context) -> Check {
    for round in 0..3 {
        let record = ctx.stored_full(&format!("{round}")).await?;
        let calls = [Call::Get(record.clone()), Call::Check];
        for (call, answer) in calls
            .iter()
            .zip(&answers_while_stopped(&ctx, &calls).await?)
        {
            call.may_answer(answer)?;
        }
        recovered(&ctx).await?;
        is_active(&ctx.driver(), &record).await?;
    }
    Ok(())
}

/// Writers that take an error for what it says and go on with the next token: through the same
/// handle, as soon as the backend is back.
async fn writers_go_on_over_restarts(ctx: Context) -> Check {
    let mut stories = Vec::new();
    for round in 0..3 {
        let mut writers = Writers::undeterred(&ctx, &format!("round {round}"), 8);
        writers.acknowledged(50).await?;
        ctx.store.stop().await?;
        let noticed = writers.failed(8).await;
        ctx.store.start().await?;
        noticed?;
        recovered(&ctx).await?;
        writers.acknowledged_more(50).await?;
        stories.extend(writers.stories().await);
    }
    settle(&ctx.driver()).await?;
    only_the_backend_failed(&stories)?;
    hold(&ctx.driver(), &stories).await
}
