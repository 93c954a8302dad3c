//! `list` and `list_revoked` read in pages while others write.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{PageRequest, Replacement, TokenDriver, TokenFilter, TokenId, TokenRecord};
use tokio::sync::watch;

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
const STEADY: usize = 80;

/// How long the pages of each reader are, and how often it lists the tokens.
const PAGES: [u32; 3] = [1, 7, 30];
const LISTINGS: usize = 3;

/// How many tasks write.
const WRITERS: usize = 4;

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

/// What readers and writers know of each other, so that neither gets far ahead: there are about as
/// many writes as pages, however the tasks are scheduled.
#[derive(Clone, Copy)]
struct Beside {
    pages: usize,
    writes: usize,
    readers: usize,
    writers: usize,
}

impl Beside {
    fn readers_may_go_on(&self) -> bool {
        self.writes > self.pages || self.writers == 0
    }

    fn writers_may_go_on(&self) -> bool {
        self.writes <= self.pages + 10 || self.readers == 0
    }
}

type Seen = watch::Sender<Beside>;

/// Notes a page, and waits while there are too few writes.
async fn page_read(seen: &Seen) -> Check {
    seen.send_modify(|beside| beside.pages += 1);
    let mut seen = seen.subscribe();
    let waited = seen.wait_for(Beside::readers_may_go_on).await;
    waited.map(drop).map_err(Failure::new)
}

/// Notes a write, and waits while there are too many; tells whether anybody reads still.
async fn written(seen: &Seen) -> Check<bool> {
    seen.send_modify(|beside| beside.writes += 1);
    let mut seen = seen.subscribe();
    let waited = seen.wait_for(Beside::writers_may_go_on).await;
    waited
        .map(|beside| beside.readers > 0)
        .map_err(Failure::new)
}

/// Lists the tokens of a user again and again, with a write between each page and the next.
async fn list_beside(ctx: &Context, churn: Churn) -> Check {
    let mut steady = Vec::new();
    for _ in 0..STEADY {
        steady.push(ctx.stored("ada").await?);
    }
    let ids: BTreeSet<_> = steady.iter().map(|token| token.id).collect();
    let (seen, _) = watch::channel(Beside {
        pages: 0,
        writes: 0,
        readers: PAGES.len(),
        writers: WRITERS,
    });
    let seen = Arc::new(seen);
    let mut tasks: Vec<Pin<Box<dyn Future<Output = Check> + Send>>> = Vec::new();
    for number in 0..WRITERS {
        let mine = steady.iter().skip(number).step_by(WRITERS).cloned();
        let writer = Writer {
            driver: ctx.driver(),
            steady: mine.collect(),
            fresh: (0..ROUNDS)
                .map(|_| ctx.record("ada"))
                .collect::<Check<_>>()?,
        };
        let seen = Arc::clone(&seen);
        tasks.push(Box::pin(async move {
            let written = writer.write(churn, &seen).await;
            seen.send_modify(|beside| beside.writers -= 1);
            written
        }));
    }
    for limit in PAGES {
        let (driver, ids) = (ctx.driver(), ids.clone());
        let seen = Arc::clone(&seen);
        tasks.push(Box::pin(async move {
            let read = read(driver, ids, limit, &seen).await;
            seen.send_modify(|beside| beside.readers -= 1);
            read
        }));
    }
    all_at_once(tasks).await.map(drop)
}

/// Lists in pages of this length; each token is there at most once, each steady one exactly once.
async fn read(
    driver: Arc<dyn TokenDriver>,
    steady: BTreeSet<TokenId>,
    limit: u32,
    seen: &Seen,
) -> Check {
    let filter = TokenFilter::new().with_user("ada")?;
    for _ in 0..LISTINGS {
        let mut listed = BTreeSet::new();
        let mut request = PageRequest::new(limit)?;
        loop {
            let page = driver.list(&filter, &request).await?;
            ensure(page.items.len() <= request.limit(), "a page is too long")?;
            for token in page.items {
                ensure(listed.insert(token.id), "a token was listed twice")?;
            }
            if !page.more {
                break;
            }
            request = request.after(page.cursor);
            page_read(seen).await?;
        }
        let missed = steady.difference(&listed).count();
        ensure(
            missed == 0,
            format!("{missed} tokens that were active throughout were skipped"),
        )?;
    }
    Ok(())
}

/// A task that writes until the readers have ended.
struct Writer {
    driver: Arc<dyn TokenDriver>,
    steady: Vec<TokenRecord>,
    fresh: Vec<TokenRecord>,
}

impl Writer {
    async fn write(mut self, churn: Churn, seen: &Seen) -> Check {
        for round in 0..ROUNDS {
            match churn {
                Churn::CreateAndRevoke => self.create_and_revoke(round).await?,
                Churn::Replace => self.replace(round).await?,
                Churn::Rotate => self.rotate(round).await?,
            }
            if !written(seen).await? {
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
        // Now earlier, now later than before, so that no order by expiry would hold.
        let later = Duration::from_secs(round as u64 * 37 % 100);
        let expires_at = token.expires_at.saturating_add(later);
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
