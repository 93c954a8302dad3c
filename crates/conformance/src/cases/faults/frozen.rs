//! The backend stops answering but keeps its connections, and goes on later.

use tokenkeep_core::Result;

use super::calls::{Call, all_at_once};
use super::recovery::keep_their_word;
use super::{bound, recovered};
use crate::case::cases;
use crate::check::Check;
use crate::context::Context;
use crate::probe::is_active;
use crate::stories::hold;
use crate::writers::Writers;

cases! { Faults:
    a_frozen_backend_bounds_every_call [R16],
    a_frozen_backend_is_told_from_an_empty_store [R16],
    a_frozen_backend_bounds_many_calls_at_once [R16],
    a_thawed_backend_is_as_the_errors_said [R16 R17],
    a_thawed_backend_is_used_again [R4 R16],
    calls_dropped_while_frozen_block_nothing_later [R16 R17],
    writers_over_a_freeze_were_told_the_truth [R12 R15 R16],
    freezes_in_a_row_are_survived [R16],
}

/// Makes one call of each method while the backend is frozen; it is thawed again.
async fn answers_while_frozen(ctx: &Context, calls: &[Call]) -> Check<Vec<Result<()>>> {
    ctx.store.freeze().await?;
    let answers = all_at_once(&ctx.driver(), calls, bound(ctx)).await;
    ctx.store.thaw().await?;
    answers
}

async fn a_frozen_backend_bounds_every_call(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    answers_while_frozen(&ctx, &calls).await.map(drop)
}

/// An error, never `NotFound` and never an empty answer.
async fn a_frozen_backend_is_told_from_an_empty_store(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    let answers = answers_while_frozen(&ctx, &calls).await?;
    calls
        .iter()
        .zip(&answers)
        .try_for_each(|(call, answer)| call.may_answer(answer))
}

/// Waiting for a connection counts as well: the last of many calls ends as soon as the first.
async fn a_frozen_backend_bounds_many_calls_at_once(ctx: Context) -> Check {
    let one_of_each = Call::one_of_each(&ctx).await?;
    let calls: Vec<_> = one_of_each.iter().cycle().take(220).cloned().collect();
    answers_while_frozen(&ctx, &calls).await.map(drop)
}

async fn a_thawed_backend_is_as_the_errors_said(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    let answers = answers_while_frozen(&ctx, &calls).await?;
    keep_their_word(&ctx, &calls, &answers).await
}

async fn a_thawed_backend_is_used_again(ctx: Context) -> Check {
    let before = ctx.stored_full("before").await?;
    let calls = Call::one_of_each(&ctx).await?;
    answers_while_frozen(&ctx, &calls).await?;
    recovered(&ctx).await?;
    is_active(&ctx.driver(), &before).await?;
    let after = ctx.stored_full("after").await?;
    is_active(&ctx.driver(), &after).await
}

/// Callers that gave up leave no connection busy for good.
async fn calls_dropped_while_frozen_block_nothing_later(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    ctx.store.freeze().await?;
    let driver = ctx.driver();
    for _ in 0..10 {
        for call in &calls {
            // One poll sends the call on its way; then it is dropped.
            let _ = futures::poll!(std::pin::pin!(call.make(&driver)));
        }
        tokio::task::yield_now().await;
    }
    ctx.store.thaw().await?;
    recovered(&ctx).await?;
    let after = ctx.stored_full("after").await?;
    is_active(&ctx.driver(), &after).await
}

async fn writers_over_a_freeze_were_told_the_truth(ctx: Context) -> Check {
    let mut writers = Writers::start(&ctx, "frozen", 4);
    writers.acknowledged(100).await?;
    ctx.store.freeze().await?;
    let ended = writers.all_ended().await;
    ctx.store.thaw().await?;
    ended?;
    recovered(&ctx).await?;
    super::calls::settle(&ctx.driver()).await?;
    hold(&ctx.driver(), &writers.stories().await).await
}

async fn freezes_in_a_row_are_survived(ctx: Context) -> Check {
    for round in 0..3 {
        let record = ctx.stored_full(&format!("{round}")).await?;
        ctx.store.freeze().await?;
        let calls = [Call::Get(record.clone()), Call::Check];
        let answers = all_at_once(&ctx.driver(), &calls, bound(&ctx)).await;
        ctx.store.thaw().await?;
        for (call, answer) in calls.iter().zip(&answers?) {
            call.may_answer(answer)?;
        }
        recovered(&ctx).await?;
        is_active(&ctx.driver(), &record).await?;
    }
    Ok(())
}
