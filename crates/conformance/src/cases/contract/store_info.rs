//! `check`: what the store says of itself.

use tokenkeep_core::ErrorKind::NotFound;

use crate::case::cases;
use crate::check::{Check, ensure, fails, same};
use crate::context::Context;
use crate::probe::is_active;

cases! { Contract:
    check_says_what_the_store_is [R19],
    check_says_the_same_again [R19],
    check_changes_nothing [R19],
}

async fn check_says_what_the_store_is(ctx: Context) -> Check {
    let info = ctx.driver().check().await?;
    for (field, value) in [
        ("driver", info.driver),
        ("location", &info.location),
        ("namespace", &info.namespace),
        ("version", &info.version),
    ] {
        ensure(!value.trim().is_empty(), format!("{field} is empty"))?;
    }
    for warning in &info.warnings {
        ensure(!warning.trim().is_empty(), "a warning says nothing")?;
    }
    Ok(())
}

async fn check_says_the_same_again(ctx: Context) -> Check {
    let first = ctx.driver().check().await?;
    ctx.stored_full("a").await?;
    let second = ctx.driver().check().await?;
    same(&second.driver, &first.driver, "driver")?;
    same(&second.location, &first.location, "location")?;
    same(&second.namespace, &first.namespace, "namespace")?;
    same(&second.version, &first.version, "version")?;
    same(&second.durability, &first.durability, "durability")
}

async fn check_changes_nothing(ctx: Context) -> Check {
    let active = ctx.stored_full("a").await?;
    let revoked = ctx.stored("ada").await?;
    ctx.driver().delete(&revoked.id).await?;
    for _ in 0..3 {
        ctx.driver().check().await?;
    }
    is_active(&ctx.driver(), &active).await?;
    fails(
        ctx.driver().get(&revoked.id).await,
        NotFound,
        "get of a revoked token",
    )?;
    Ok(())
}
