//! Expired is absent: at `expires_at` exactly, for every method.

use tokenkeep_core::ErrorKind::NotFound;

use crate::case::cases;
use crate::check::{Check, fails};
use crate::context::{Context, LIFETIME, TICK};

cases! { Contract:
    get_at_expiry [R1 R5],
}

async fn get_at_expiry(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    ctx.advance(LIFETIME - TICK);
    ctx.driver().get(&record.id).await?;
    ctx.advance(TICK);
    fails(
        ctx.driver().get(&record.id).await,
        NotFound,
        "get at expiry",
    )
    .map(drop)
}
