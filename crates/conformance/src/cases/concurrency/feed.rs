//! The revocation feed, followed while tokens are being revoked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokenkeep_core::{
    Cursor, PageRequest, RevokedToken, TokenDriver, TokenDriverExt, TokenFilter, TokenId,
    TokenRecord,
};

use super::at_once::all_at_once;
use super::moments::Moments;
use crate::case::cases;
use crate::check::{Check, Failure, ensure, same};
use crate::context::{Context, TICK};

cases! { Concurrency:
    the_feed_misses_no_concurrent_revocation [R10],
    the_feed_keeps_the_order_of_revocations_in_a_row [R10],
}

/// How many tasks revoke.
const REVOKERS: usize = 6;

/// How many tokens each of them revokes.
const TOKENS: usize = 48;

/// When a revocation began and when it had returned.
struct Span {
    before: u64,
    after: u64,
}

type Spans = BTreeMap<TokenId, Span>;

/// Followers read the feed all the while, in pages of different lengths. Each of them gets every
/// revoked token, and gets none twice unless the store has a lag.
async fn the_feed_misses_no_concurrent_revocation(ctx: Context) -> Check {
    let lag = ctx.driver().check().await?.revocation_lag;
    let done = Arc::new(AtomicBool::new(false));
    let followers = [1, 5, 100].map(|limit| {
        let follower = Follower {
            driver: ctx.driver(),
            limit,
            lag,
            places: Vec::new(),
            seen: BTreeMap::new(),
        };
        tokio::spawn(follower.follow(Arc::clone(&done)))
    });
    let revoked = revoke_beside(&ctx).await;
    done.store(true, Ordering::SeqCst);
    let revoked: Vec<_> = revoked?.into_keys().collect();
    for follower in followers {
        let seen = follower
            .await
            .map_err(|error| Failure::new(format!("a follower ended early: {error}")))??;
        let seen: Vec<_> = seen.into_keys().collect();
        same(&seen, &revoked, "the tokens that a follower saw")?;
    }
    Ok(())
}

/// A revocation that had returned before another began comes before it.
async fn the_feed_keeps_the_order_of_revocations_in_a_row(ctx: Context) -> Check {
    let spans = revoke_beside(&ctx).await?;
    let feed = ctx.driver().list_all_revoked().await?;
    same(&feed.len(), &spans.len(), "the length of the feed")?;
    let mut latest_start = 0;
    for shown in feed {
        let span = spans
            .get(&shown.id)
            .ok_or_else(|| Failure::new("the feed shows a token that is not revoked"))?;
        ensure(
            span.after >= latest_start,
            "the feed shows a token after one that was revoked later",
        )?;
        latest_start = latest_start.max(span.before);
    }
    Ok(())
}

/// Lets all revokers run at once; gives what they revoked. The clock moves on beside them, though
/// not with each revocation.
async fn revoke_beside(ctx: &Context) -> Check<Spans> {
    let moments = Moments::default();
    let mut revokers = Vec::new();
    for number in 0..REVOKERS {
        let mut tokens = Vec::new();
        for place in 0..TOKENS {
            let user = format!("user {number} {}", place / 4);
            tokens.push(ctx.stored(&user).await?);
        }
        let successors = (0..TOKENS).map(|_| ctx.record("successor"));
        let revoker = Revoker {
            driver: ctx.driver(),
            moments: moments.clone(),
            spans: BTreeMap::new(),
        };
        let clock = Arc::clone(&ctx.clock);
        let successors = successors.collect::<Check<_>>()?;
        revokers.push(async move {
            let spans = revoker.revoke(tokens, successors).await;
            clock.advance(TICK);
            spans
        });
    }
    let spans = all_at_once(revokers).await?;
    Ok(spans.into_iter().flatten().collect())
}

struct Revoker {
    driver: Arc<dyn TokenDriver>,
    moments: Moments,
    spans: Spans,
}

impl Revoker {
    /// Revokes by fours: one deleted, one rotated, and the two left in bulk.
    async fn revoke(
        mut self,
        tokens: Vec<TokenRecord>,
        successors: Vec<TokenRecord>,
    ) -> Check<Spans> {
        for (four, successors) in tokens.chunks(4).zip(successors.chunks(4)) {
            let before = self.moments.next();
            self.driver.delete(&four[0].id).await?;
            self.note(before, [four[0].id]);
            let before = self.moments.next();
            let successor = successors[0].clone();
            self.driver.rotate(&four[1].id, successor).await?;
            self.note(before, [four[1].id]);
            let before = self.moments.next();
            let filter = TokenFilter::new().with_user(&four[0].user_id)?;
            let bulk = self.driver.delete_tokens(&filter).await?;
            same(&bulk.len(), &2, "how many tokens were left")?;
            self.note(before, bulk);
        }
        Ok(self.spans)
    }

    fn note(&mut self, before: u64, ids: impl IntoIterator<Item = TokenId>) {
        let after = self.moments.next();
        for id in ids {
            self.spans.insert(id, Span { before, after });
        }
    }
}

/// Follows the feed as [`TokenDriver::list_revoked`] says: with as much overlap as the store has lag.
struct Follower {
    driver: Arc<dyn TokenDriver>,
    limit: u32,
    lag: Duration,
    /// Cursors, each with the time at which it was got, oldest first.
    places: Vec<(Instant, Option<Cursor>)>,
    seen: BTreeMap<TokenId, RevokedToken>,
}

impl Follower {
    /// Reads until all is done, and once more from then on.
    async fn follow(mut self, done: Arc<AtomicBool>) -> Check<BTreeMap<TokenId, RevokedToken>> {
        self.places.push((Instant::now(), None));
        loop {
            let last = done.load(Ordering::SeqCst);
            let began = Instant::now();
            let cursor = self.read_on(self.places[0].1.clone()).await?;
            self.places.push((Instant::now(), cursor));
            // What becomes visible late behind a place is read once more from before it.
            let lag = self.lag;
            let settled = |(at, _): &(Instant, _)| lag.is_zero() || *at + lag <= began;
            let keep = self.places.iter().rposition(settled).unwrap_or(0);
            self.places.drain(..keep);
            if last {
                return Ok(self.seen);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Reads from a cursor to the end; gives the cursor at the end.
    async fn read_on(&mut self, from: Option<Cursor>) -> Check<Option<Cursor>> {
        let mut cursor = from;
        loop {
            let request = PageRequest::new(self.limit)?.after(cursor);
            let page = self.driver.list_revoked(&request).await?;
            for token in page.items {
                let before = self.seen.insert(token.id, token);
                ensure(
                    before.is_none() || !self.lag.is_zero(),
                    "the feed repeated a token behind its cursor",
                )?;
            }
            cursor = page.cursor;
            if !page.more {
                return Ok(cursor);
            }
        }
    }
}
