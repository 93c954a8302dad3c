//! One `delete_tokens` beside families that rotate all the while.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokenkeep_core::{
    Clock, ManualClock, Rotation, Timestamp, TokenDriver, TokenDriverExt, TokenFilter, TokenId,
    TokenRecord,
};
use tokio::task::JoinHandle;

use super::at_once::all_at_once;
use crate::case::cases;
use crate::check::{Check, Failure, ensure, same};
use crate::context::{Context, LIFETIME};

cases! { Concurrency:
    no_family_escapes_one_bulk_revoke [R8 R12],
    no_family_escapes_whose_past_is_flushed [R8 R12 R13],
}

/// How many families rotate beside the bulk revocation.
const FAMILIES: usize = 4;

/// How many tokens stand still beside them, so that the revocation takes more than one step.
const STILL: usize = 1_500;

/// How often all of it is done: an escape takes luck.
const ROUNDS: usize = 3;

/// How long a token lives once it was rotated, where what was rotated is flushed.
const PAST: Duration = Duration::from_millis(1);

/// A token may be made behind a bulk revocation's back, of one that it has yet to reach: neither is
/// active when it has returned.
async fn no_family_escapes_one_bulk_revoke(ctx: Context) -> Check {
    for round in 0..ROUNDS {
        let crowd = Crowd::new(&ctx, round).await?;
        let expires_at = ctx.now().saturating_add(LIFETIME);
        let families = crowd.families(&ctx, expires_at).await?;
        let rotating = families
            .into_iter()
            .map(|family| crowd.beside(|progress| one_by_one(family, expires_at, progress)));
        crowd.revoke_beside(rotating.collect()).await?;
    }
    Ok(())
}

/// A token that was rotated, has expired and was flushed leads nowhere any more.
async fn no_family_escapes_whose_past_is_flushed(ctx: Context) -> Check {
    for round in 0..ROUNDS {
        let crowd = Crowd::new(&ctx, round).await?;
        let families = crowd.families(&ctx, ctx.now().saturating_add(PAST)).await?;
        let clock = Arc::clone(&ctx.clock);
        let rotating = crowd.beside(|progress| generations(families, clock, progress));
        crowd.revoke_beside(vec![rotating]).await?;
    }
    Ok(())
}

/// Rotates a family until another ended it.
async fn one_by_one(mut family: Family, expires_at: Timestamp, progress: Progress) -> Check {
    loop {
        let was_over = progress.is_over();
        match family.rotate(expires_at).await? {
            Some(rotated) => family = rotated,
            None => return Ok(()),
        }
        progress.rotated(was_over)?;
        // A driver that never waits would keep its thread to itself.
        tokio::task::yield_now().await;
    }
}

/// Rotates families and has flushed what they leave behind, until others ended them all.
async fn generations(
    mut families: Vec<Family>,
    clock: Arc<ManualClock>,
    progress: Progress,
) -> Check {
    while let Some(family) = families.first() {
        let driver = Arc::clone(&family.driver);
        let was_over = progress.is_over();
        let expires_at = clock.now().saturating_add(PAST * 2);
        let rotations = families
            .into_iter()
            .map(|family| family.rotate(expires_at))
            .collect();
        families = all_at_once(rotations)
            .await?
            .into_iter()
            .flatten()
            .collect();
        if !families.is_empty() {
            progress.rotated(was_over)?;
        }
        clock.advance(PAST);
        driver.flush_expired(NonZeroU32::MAX).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// What those who rotate and the one who revokes know of each other.
#[derive(Clone, Default)]
struct Progress {
    rotations: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Progress {
    /// Whether the bulk revocation has returned.
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Notes a rotation; fails if it began when all was over.
    fn rotated(&self, was_over: bool) -> Check {
        self.rotations.fetch_add(1, Ordering::SeqCst);
        ensure(
            !was_over,
            "a family lived on after the bulk revocation returned",
        )
    }
}

/// Those who rotate beside the bulk revocation.
struct Beside {
    progress: Progress,
    task: JoinHandle<Check>,
}

/// The tokens of a tenant, for one bulk revocation.
struct Crowd {
    driver: Arc<dyn TokenDriver>,
    tenant: String,
    is_over: Arc<AtomicBool>,
}

impl Crowd {
    /// Stores the tokens that stand still.
    async fn new(ctx: &Context, round: usize) -> Check<Self> {
        let (driver, tenant) = (ctx.driver(), format!("tenant-{round}"));
        let mint = ctx.minter(&format!("still-{round}"), &tenant);
        let still: Check<Vec<_>> = (0..STILL).map(|_| mint()).collect();
        for answer in driver.create_many(still?).await? {
            answer?;
        }
        Ok(Self {
            driver,
            tenant,
            is_over: Arc::default(),
        })
    }

    async fn families(&self, ctx: &Context, expires_at: Timestamp) -> Check<Vec<Family>> {
        let mut families = Vec::new();
        for family in 0..FAMILIES {
            let mint = ctx.minter(&format!("family-{family} {}", self.tenant), &self.tenant);
            let first = TokenRecord {
                expires_at,
                ..mint()?
            };
            families.push(Family {
                driver: Arc::clone(&self.driver),
                current: first.id,
                mint: Box::new(mint),
            });
            self.driver.create(first).await?;
        }
        Ok(families)
    }

    fn beside<F>(&self, rotate: impl FnOnce(Progress) -> F) -> Beside
    where
        F: Future<Output = Check> + Send + 'static,
    {
        let progress = Progress {
            rotations: Arc::default(),
            is_over: Arc::clone(&self.is_over),
        };
        Beside {
            task: tokio::spawn(rotate(progress.clone())),
            progress,
        }
    }

    /// Revokes all tokens of the tenant once all others rotate, and fails unless that ends them.
    async fn revoke_beside(&self, others: Vec<Beside>) -> Check {
        let filter = TokenFilter::new().with_tenant(&self.tenant)?;
        let rotations = |other: &Beside| other.progress.rotations.load(Ordering::SeqCst);
        let ended = |other: &Beside| other.task.is_finished();
        while others.iter().any(|other| rotations(other) < 2) && !others.iter().any(ended) {
            tokio::task::yield_now().await;
        }
        self.driver.delete_tokens(&filter).await?;
        self.is_over.store(true, Ordering::SeqCst);
        for other in others {
            let rotated = rotations(&other);
            other.task.await.map_err(Failure::new)??;
            ensure(rotated >= 2, "a family ended before the bulk revocation")?;
        }
        let active = self.driver.list_all(&filter).await?;
        same(&active, &vec![], "the active tokens in the end")
    }
}

/// A token, and those that take its place.
struct Family {
    driver: Arc<dyn TokenDriver>,
    current: TokenId,
    mint: Box<dyn Fn() -> Check<TokenRecord> + Send>,
}

impl Family {
    /// Rotates the token; gives nothing if another has ended it.
    async fn rotate(mut self, expires_at: Timestamp) -> Check<Option<Self>> {
        let next = TokenRecord {
            expires_at,
            ..(self.mint)()?
        };
        let id = next.id;
        let rotation = self.driver.rotate(&self.current, next).await?;
        self.current = id;
        Ok((rotation == Rotation::Rotated).then_some(self))
    }
}
