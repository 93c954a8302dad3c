//! The backend answers but takes no writes, as a standby or a server whose disk is full.

use tokenkeep_core::ErrorKind::Unavailable;
use tokenkeep_core::Result;

use super::calls::{Call, all_at_once, settle};
use super::{bound, recovered};
use crate::case::cases;
use crate::check::{Check, Failure, chain, ensure};
use crate::context::Context;
use crate::stories::hold;
use crate::writers::Writers;

cases! { Faults:
    a_read_only_backend_refuses_every_write [R16],
    a_read_only_backend_answers_every_read [R5 R16],
    a_writable_backend_is_as_the_errors_said [R16 R17],
    a_writable_backend_is_used_again [R4 R16],
    writers_over_a_read_only_spell_were_told_the_truth [R12 R15 R16],
}

/// Makes these calls while the backend takes no writes; it takes them again.
async fn answers_while_read_only(ctx: &Context, calls: &[Call]) -> Check<Vec<Result<()>>> {
    ctx.store.read_only(true).await?;
    let answers = all_at_once(&ctx.driver(), calls, bound(ctx)).await;
    ctx.store.read_only(false).await?;
    answers
}

/// The backend answered that it did not do it: a caller may be sure, and try again.
async fn a_read_only_backend_refuses_every_write(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    let answers = answers_while_read_only(&ctx, &calls).await?;
    for (call, answer) in calls.iter().zip(answers) {
        let name = call.name();
        match answer {
            _ if call.is_read() => {}
            Ok(()) => return Err(Failure::new(format!("{name} succeeded"))),
            Err(error) => {
                let told = format!("{name} answered {}", chain(&error));
                ensure(error.kind() == Unavailable, told)?;
            }
        }
    }
    Ok(())
}

async fn a_read_only_backend_answers_every_read(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    // Twice: the second time the driver has seen the writes fail.
    let twice = [calls.clone(), calls].concat();
    let answers = answers_while_read_only(&ctx, &twice).await?;
    for (call, answer) in twice.iter().zip(answers) {
        match answer {
            Err(error) if call.is_read() => {
                let told = format!("{} answered {}", call.name(), chain(&error));
                return Err(Failure::new(told));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn a_writable_backend_is_as_the_errors_said(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    let answers = answers_while_read_only(&ctx, &calls).await?;
    recovered(&ctx).await?;
    for (call, answer) in calls.iter().zip(answers) {
        if let Err(error) = answer {
            call.keeps_its_word(&ctx.driver(), error.kind()).await?;
        }
    }
    Ok(())
}

/// What was refused is done when it is asked for again.
async fn a_writable_backend_is_used_again(ctx: Context) -> Check {
    let calls = Call::one_of_each(&ctx).await?;
    answers_while_read_only(&ctx, &calls).await?;
    let driver = ctx.driver();
    for (call, answer) in calls
        .iter()
        .zip(all_at_once(&driver, &calls, bound(&ctx)).await?)
    {
        answer.map_err(|error| {
            let name = call.name();
            Failure::new(format!("afterwards {name} answered {}", chain(&error)))
        })?;
    }
    Ok(())
}

async fn writers_over_a_read_only_spell_were_told_the_truth(ctx: Context) -> Check {
    let mut writers = Writers::start(&ctx, "read only", 4);
    writers.acknowledged(100).await?;
    ctx.store.read_only(true).await?;
    let ended = writers.all_ended().await;
    ctx.store.read_only(false).await?;
    ended?;
    settle(&ctx.driver()).await?;
    hold(&ctx.driver(), &writers.stories().await).await
}
