//! `list` and `list_revoked` read in pages while others write.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenkeep_core::{PageRequest, Replacement, TokenDriver, TokenFilter, TokenId, TokenRecord};

use super::at_once::all_at_once;
use crate::case::cases;
use crate::check::{Check, Failure, ensure};
use crate::context::Context;

cases! { Concurrency:
    list_beside_creates_and_revocations_repeats_and_skips_nothing [R9],
    list_beside_replaces_repeats_and_skips_nothing [R9 R11],
    list_beside_rotations_repeats_and_skips_nothing [R9 R12],
}

/// Tokens that are active throughout.
const STEADY: usize = 120;

/// How many times the tokens are listed.
const LISTINGS: usize = 6;

/// How many rounds a writer does at most.
const ROUNDS: usize = 400;

/// What is written beside the listings.
#[derive(Clone, Copy)]
enum Churn {
    CreateAndRevoke,
    Replace,
    Rotate,
}

async fn list_beside_creates_and_revocations_repeats_and_skips_nothing(ctx: Context) -> Check {
    list_beside(&ctx, Churn::CreateAndRevoke).await
}

/// A new expiry or version does not move a token to where a cursor misses it or meets it again.
async fn list_beside_replaces_repeats_and_skips_nothing(ctx: Context) -> Check {
    list_beside(&ctx, Churn::Replace).await
}

async fn list_beside_rotations_repeats_and_skips_nothing(ctx: Context) -> Check {
    list_beside(&ctx, Churn::Rotate).await
}

/// Lists the tokens of a user again and again while four tasks write to the same user, until the
/// listings are done.
async fn list_beside(ctx: &Context, churn: Churn) -> Check {
    let mut steady = Vec::new();
    for _ in 0..STEADY {
        steady.push(ctx.stored("ada").await?);
    }
    let ids: BTreeSet<_> = steady.iter().map(|token| token.id).collect();
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..4 {
        let mine = steady.iter().skip(number).step_by(4).cloned().collect();
        let writer = Writer {
            driver: ctx.driver(),
            done: Arc::clone(&done),
            steady: mine,
            fresh: (0..ROUNDS)
                .map(|_| ctx.record("ada"))
                .collect::<Check<_>>()?,
        };
        writers.push(tokio::spawn(writer.write(churn)));
    }
    let readers = [1, 7, 50].map(|limit| read(ctx.driver(), ids.clone(), limit));
    let read = all_at_once(readers.into()).await;
    done.store(true, Ordering::SeqCst);
    for writer in writers {
        writer
            .await
            .map_err(|error| Failure::new(format!("a writer ended early: {error}")))??;
    }
    read.map(drop)
}

/// Lists in pages of this length; each token is there at most once, each steady one exactly once.
async fn read(driver: Arc<dyn TokenDriver>, steady: BTreeSet<TokenId>, limit: u32) -> Check {
    let filter = TokenFilter::new().with_user("ada")?;
    for _ in 0..LISTINGS {
        let mut seen = BTreeSet::new();
        let mut request = PageRequest::new(limit)?;
        loop {
            let page = driver.list(&filter, &request).await?;
            ensure(page.items.len() <= request.limit(), "a page is too long")?;
            for token in page.items {
                ensure(seen.insert(token.id), "a token was listed twice")?;
            }
            if !page.more {
                break;
            }
            request = request.after(page.cursor);
            tokio::task::yield_now().await;
        }
        let missed = steady.difference(&seen).count();
        ensure(
            missed == 0,
            format!("{missed} tokens that were active throughout were skipped"),
        )?;
    }
    Ok(())
}

/// A task that writes until it is told to stop.
struct Writer {
    driver: Arc<dyn TokenDriver>,
    done: Arc<AtomicBool>,
    steady: Vec<TokenRecord>,
    fresh: Vec<TokenRecord>,
}

impl Writer {
    async fn write(mut self, churn: Churn) -> Check {
        for round in 0..ROUNDS {
            match churn {
                Churn::CreateAndRevoke => self.create_and_revoke(round).await?,
                Churn::Replace => self.replace(round).await?,
                Churn::Rotate => self.rotate(round).await?,
            }
            if self.done.load(Ordering::SeqCst) {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn create_and_revoke(&self, round: usize) -> Check {
        let record = self.fresh[round].clone();
        self.driver.create(record).await?;
        if !round.is_multiple_of(3) {
            self.driver.delete(&self.fresh[round].id).await?;
        }
        Ok(())
    }

    async fn replace(&mut self, round: usize) -> Check {
        let place = round % self.steady.len();
        let token = &mut self.steady[place];
        // Now earlier, now later than the others, so that no order by expiry would hold.
        let expires_at = match round % 2 {
            0 => token.expires_at.saturating_sub(Duration::from_secs(60)),
            _ => token.expires_at.saturating_add(Duration::from_secs(90)),
        };
        let change = Replacement {
            id: token.id,
            expires_at,
            data: format!("round {round}").into(),
        };
        token.version = self.driver.replace(change, token.version).await?;
        Ok(())
    }

    async fn rotate(&self, round: usize) -> Check {
        let record = self.fresh[round].clone();
        // Every tenth begins a new family, which the ones after it carry on.
        if round.is_multiple_of(10) {
            self.driver.create(record).await?;
        } else {
            let old = self.fresh[round - 1].id;
            self.driver.rotate(&old, record).await?;
        }
        Ok(())
    }
}
