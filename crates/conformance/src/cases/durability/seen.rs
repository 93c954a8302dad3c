//! What was read survives a kill, though the write that it shows was not acknowledged yet: a store
//! does not show what a crash can still undo.

use std::time::{Duration, Instant};

use tokenkeep_core::ErrorKind::NotFound;
use tokenkeep_core::{Anchor, Replacement, Result, Rotation, TokenRecord};

use crate::case::cases;
use crate::check::{Check, Failure, ensure, same};
use crate::context::{Context, LIFETIME};
use crate::probe::{Driver, by, feed, is_absent, is_active, listed_in_pages};

cases! { Durability:
    a_create_that_was_seen_survives_a_kill [R15],
    a_batch_that_was_seen_survives_a_kill [R14 R15],
    a_replace_that_was_seen_survives_a_kill [R11 R15],
    a_delete_that_was_seen_survives_a_kill [R7 R15],
    a_bulk_revocation_that_was_seen_survives_a_kill [R7 R8 R15],
    a_rotation_that_was_seen_survives_a_kill [R7 R12 R15],
    a_revocation_seen_in_the_feed_survives_a_kill [R7 R10 R15],
}

/// How many writes each case sees and kills, one after the other, at most and at least.
const MOST_ROUNDS: usize = 30;
const LEAST_ROUNDS: usize = 8;

/// After how long a case whose store takes its time to come back has played enough.
const ENOUGH: Duration = Duration::from_secs(20);

/// The numbers of a case's rounds.
fn rounds() -> impl Iterator<Item = usize> + Send {
    let begun = Instant::now();
    (0..MOST_ROUNDS).take_while(move |round| *round < LEAST_ROUNDS || begun.elapsed() < ENOUGH)
}

/// How a reader looks at a token.
#[derive(Clone, Copy, Debug)]
enum Look {
    Get,
    List,
    Feed,
}

impl Look {
    /// Takes turns at what shows active tokens.
    const fn of(round: usize) -> Self {
        [Self::Get, Self::List][round % 2]
    }

    /// Whether exactly this record is active, as far as this look tells.
    async fn shows(self, driver: &Driver, record: &TokenRecord) -> Check<bool> {
        match self {
            Self::Get => match driver.get(&record.id).await {
                Ok(found) => Ok(found == *record),
                Err(error) if error.kind() == NotFound => Ok(false),
                Err(error) => Err(error.into()),
            },
            Self::List => {
                let user = by(Anchor::User, &record.user_id)?;
                Ok(listed_in_pages(driver, &user, 100).await?.contains(record))
            }
            Self::Feed => Ok(!feed(driver).await?.contains(&record.id)),
        }
    }
}

/// Lets a write run, and kills the store the moment that the look shows the record to be active or
/// not, as the write makes it: before the write is acknowledged, where the store shows it so early.
async fn killed_once<W>(
    ctx: &mut Context,
    look: Look,
    record: &TokenRecord,
    active: bool,
    write: W,
) -> Check
where
    W: Future<Output = Result<()>> + Send + 'static,
{
    let driver = ctx.driver();
    ensure(
        look.shows(&driver, record).await? != active,
        "the write is seen before it was begun",
    )?;
    let writer = tokio::spawn(write);
    loop {
        let ended = writer.is_finished();
        if look.shows(&driver, record).await? == active {
            break;
        }
        if ended {
            writer
                .await
                .map_err(|error| Failure::new(format!("the writer ended early: {error}")))??;
            return Err(Failure::new(format!(
                "{look:?} does not show a write that was acknowledged (R4)"
            )));
        }
        tokio::task::yield_now().await;
    }
    drop(driver);
    ctx.store.kill().await?;
    writer.abort();
    Ok(())
}

fn in_round(round: usize, look: Look) -> impl Fn(Failure) -> Failure {
    move |failure| Failure::new(format!("round {round}, seen by {look:?}: {failure}"))
}

async fn a_create_that_was_seen_survives_a_kill(mut ctx: Context) -> Check {
    for round in rounds() {
        let look = Look::of(round);
        let (driver, record) = (ctx.driver(), ctx.full_record(&format!("{round}"))?);
        let created = record.clone();
        let write = async move { driver.create(created).await };
        killed_once(&mut ctx, look, &record, true, write).await?;
        let survived = is_active(&ctx.driver(), &record).await;
        survived.map_err(in_round(round, look))?;
    }
    Ok(())
}

/// The last of the batch is seen: it alone has to be there.
async fn a_batch_that_was_seen_survives_a_kill(mut ctx: Context) -> Check {
    for round in rounds() {
        let look = Look::of(round);
        let batch = (0..20)
            .map(|_| ctx.full_record(&format!("{round}")))
            .collect::<Check<Vec<_>>>()?;
        let record = batch[batch.len() - 1].clone();
        let driver = ctx.driver();
        let write = async move { driver.create_many(batch).await?.into_iter().collect() };
        killed_once(&mut ctx, look, &record, true, write).await?;
        let survived = is_active(&ctx.driver(), &record).await;
        survived.map_err(in_round(round, look))?;
    }
    Ok(())
}

async fn a_replace_that_was_seen_survives_a_kill(mut ctx: Context) -> Check {
    for round in rounds() {
        let look = Look::of(round);
        let record = ctx.stored_full(&format!("{round}")).await?;
        let changed = TokenRecord {
            expires_at: record.expires_at.saturating_add(LIFETIME),
            data: "changed".into(),
            version: 2,
            ..record
        };
        let change = Replacement {
            id: changed.id,
            expires_at: changed.expires_at,
            data: changed.data.clone(),
        };
        let driver = ctx.driver();
        let write = async move { driver.replace(change, 1).await.map(drop) };
        killed_once(&mut ctx, look, &changed, true, write).await?;
        let survived = is_active(&ctx.driver(), &changed).await;
        survived.map_err(in_round(round, look))?;
    }
    Ok(())
}

async fn a_delete_that_was_seen_survives_a_kill(mut ctx: Context) -> Check {
    for round in rounds() {
        a_delete_survives(&mut ctx, round, Look::of(round)).await?;
    }
    Ok(())
}

async fn a_revocation_seen_in_the_feed_survives_a_kill(mut ctx: Context) -> Check {
    for round in rounds() {
        a_delete_survives(&mut ctx, round, Look::Feed).await?;
    }
    Ok(())
}

async fn a_delete_survives(ctx: &mut Context, round: usize, look: Look) -> Check {
    let record = ctx.stored_full(&format!("{round}")).await?;
    let (driver, id) = (ctx.driver(), record.id);
    let write = async move { driver.delete(&id).await };
    killed_once(ctx, look, &record, false, write).await?;
    let survived = is_revoked(&ctx.driver(), &record).await;
    survived.map_err(in_round(round, look))
}

/// The token is absent everywhere but in the feed.
async fn is_revoked(driver: &Driver, record: &TokenRecord) -> Check {
    is_absent(driver, record).await?;
    let what = "a revoked token is not in the feed";
    ensure(feed(driver).await?.contains(&record.id), what)
}

/// One of the tokens is seen to be revoked: it alone has to be.
async fn a_bulk_revocation_that_was_seen_survives_a_kill(mut ctx: Context) -> Check {
    for round in rounds() {
        let look = Look::of(round);
        let tag = format!("{round}");
        for _ in 0..20 {
            ctx.stored_full(&tag).await?;
        }
        let record = ctx.stored_full(&tag).await?;
        let (driver, tenant) = (ctx.driver(), by(Anchor::Tenant, &format!("tenant-{tag}"))?);
        let write = async move { driver.delete_tokens(&tenant).await.map(drop) };
        killed_once(&mut ctx, look, &record, false, write).await?;
        let survived = is_revoked(&ctx.driver(), &record).await;
        survived.map_err(in_round(round, look))?;
    }
    Ok(())
}

/// Seen by the end of the old token, and by the beginning of its successor.
async fn a_rotation_that_was_seen_survives_a_kill(mut ctx: Context) -> Check {
    for round in rounds() {
        let look = Look::of(round / 2);
        let old = ctx.stored_full(&format!("{round}")).await?;
        let successor = ctx.full_record(&format!("{round}"))?;
        let (driver, id, new) = (ctx.driver(), old.id, successor.clone());
        let write = async move { driver.rotate(&id, new).await.map(drop) };
        let by_old = round % 2 == 0;
        let seen = if by_old { &old } else { &successor };
        killed_once(&mut ctx, look, seen, !by_old, write).await?;
        let survived = rotation_survived(&ctx, &old, &successor, by_old).await;
        survived.map_err(in_round(round, look))?;
    }
    Ok(())
}

/// A successor alone may be all that there is of a rotation; an old token that was seen to be gone
/// is revoked and has its successor.
async fn rotation_survived(
    ctx: &Context,
    old: &TokenRecord,
    successor: &TokenRecord,
    by_old: bool,
) -> Check {
    let driver = ctx.driver();
    is_active(&driver, successor).await?;
    if !by_old {
        return Ok(());
    }
    is_revoked(&driver, old).await?;
    let again = driver.rotate(&old.id, ctx.record("ada")?).await?;
    let used = Rotation::AlreadyUsed {
        at: ctx.now(),
        successor: Some(successor.id),
    };
    same(&again, &used, "rotate of the old token")
}
