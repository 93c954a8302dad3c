//! `create` and what `get` gives back.

use tokenkeep_core::ErrorKind::{AlreadyExists, NotFound};

use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::Context;

cases! { Contract:
    create_then_get [R2 R4 R5],
    create_twice_keeps_the_first [R2],
    an_unknown_id_is_not_found [R5],
}

/// Every field comes back as it was given.
async fn create_then_get(ctx: Context) -> Check {
    let record = ctx
        .record("ada")?
        .with_audit_chain("chain")?
        .with_tenant("engines")?
        .with_domain("london")?
        .with_trust("trust")?
        .with_consumer("loom")?;
    ctx.driver().create(record.clone()).await?;
    same(
        &ctx.driver().get(&record.id).await?,
        &record,
        "what get gave",
    )
}

/// The second create answers `AlreadyExists` and changes no field of the first record.
async fn create_twice_keeps_the_first(ctx: Context) -> Check {
    let first = ctx.stored("ada").await?;
    let mut second = ctx.record("grace")?.with_data("other");
    second.id = first.id;
    fails(
        ctx.driver().create(second).await,
        AlreadyExists,
        "the second create",
    )?;
    same(
        &ctx.driver().get(&first.id).await?,
        &first,
        "the first record",
    )
}

async fn an_unknown_id_is_not_found(ctx: Context) -> Check {
    ctx.stored("ada").await?;
    fails(
        ctx.driver().get(&ctx.new_id()).await,
        NotFound,
        "get of an unknown id",
    )
    .map(drop)
}
