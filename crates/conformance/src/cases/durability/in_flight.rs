//! A kill while writers are at work.

use tokenkeep_core::Anchor;

use crate::case::cases;
use crate::check::{Check, same};
use crate::context::Context;
use crate::probe::{by, ids, is_absent, listed_in_pages};
use crate::stories::hold;
use crate::writers::Writers;

cases! { Durability:
    a_kill_beside_one_writer_loses_nothing_acknowledged [R15 R17],
    a_kill_beside_eight_writers_loses_nothing_acknowledged [R15 R17],
    bulk_revocation_after_a_kill_beside_writers_misses_none [R8 R15],
}

async fn a_kill_beside_one_writer_loses_nothing_acknowledged(ctx: Context) -> Check {
    killed_beside(ctx, 1).await.map(drop)
}

async fn a_kill_beside_eight_writers_loses_nothing_acknowledged(ctx: Context) -> Check {
    killed_beside(ctx, 8).await.map(drop)
}

/// Kills the store beside so many writers, three times over; everything they were told holds.
async fn killed_beside(mut ctx: Context, count: usize) -> Check<Context> {
    let mut all = Vec::new();
    for round in 0..3 {
        let mut writers = Writers::start(&ctx, &format!("round {round}"), count);
        writers.acknowledged(50 * count).await?;
        writers.expect_the_end();
        ctx.store.kill().await?;
        all.extend(writers.stories().await);
        hold(&ctx.driver(), &all).await?;
    }
    Ok(ctx)
}

/// What is revoked by tenant is all that the users' listings show: no index knows a token that
/// another lacks.
async fn bulk_revocation_after_a_kill_beside_writers_misses_none(ctx: Context) -> Check {
    let ctx = killed_beside(ctx, 4).await?;
    let driver = ctx.driver();
    for round in 0..3 {
        let name = format!("round {round}");
        let mut active = Vec::new();
        for number in 0..4 {
            let user = by(Anchor::User, &format!("{name} writer {number}"))?;
            active.extend(listed_in_pages(&driver, &user, 1_000).await?);
        }
        let revoked = driver.delete_tokens(&by(Anchor::Tenant, &name)?).await?;
        let revoked = revoked.into_iter().collect();
        same(&ids(&active), &revoked, "what was revoked by tenant")?;
        for record in &active {
            is_absent(&driver, record).await?;
        }
    }
    Ok(())
}
