//! What the errors said, held against the store once the backend is back.

use tokenkeep_core::Result;

use super::calls::{Call, settle};
use super::recovered;
use crate::check::Check;
use crate::context::Context;

/// Waits for the backend, and checks each call's answer against what is stored.
pub(super) async fn keep_their_word(
    ctx: &Context,
    calls: &[Call],
    answers: &[Result<()>],
) -> Check {
    recovered(ctx).await?;
    settle(&ctx.driver()).await?;
    for (call, answer) in calls.iter().zip(answers) {
        call.may_answer(answer)?;
        if let Err(error) = answer {
            call.keeps_its_word(&ctx.driver(), error.kind()).await?;
        }
    }
    Ok(())
}
