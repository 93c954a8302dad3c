//! A store and the reference driver, which get the same calls.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{
    Anchor, Clock, Error, ErrorKind, ManualClock, MemoryDriver, Replacement, RevokedToken,
    Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenId, TokenRecord,
};

use super::calls::{Call, HOUR, IDS, NAMES, Offset};
use super::reading::{Listing, Place, list_whole};
use super::values::{filter, later, record};
use crate::check::{Check, Failure, ensure, same};
use crate::context::Context;

/// A store and the reference driver, both empty to begin with.
pub(super) struct Pair {
    driver: Arc<dyn TokenDriver>,
    reference: MemoryDriver,
    clock: Arc<ManualClock>,
    ids: Vec<TokenId>,
    listing: Option<Listing>,
    feed: Place,
    reference_feed: Place,
    calls: usize,
    /// The number of the call that revoked each token.
    revoked_by: BTreeMap<TokenId, usize>,
    // Holds the store, which cleans up when it is dropped: last.
    _ctx: Context,
}

impl Pair {
    pub(super) fn new(ctx: Context) -> Self {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&ctx.clock);
        Self {
            driver: ctx.driver(),
            reference: MemoryDriver::new(clock),
            clock: Arc::clone(&ctx.clock),
            ids: (0..IDS).map(|_| ctx.new_id()).collect(),
            listing: None,
            feed: Place::default(),
            reference_feed: Place::default(),
            calls: 0,
            revoked_by: BTreeMap::new(),
            _ctx: ctx,
        }
    }

    /// Makes a call on both and compares the answers.
    pub(super) async fn call(&mut self, call: &Call) -> Check {
        self.calls += 1;
        match call {
            Call::Create(token) => {
                let record = record(token, &self.ids, self.clock.now())?;
                let wanted = self.reference.create(record.clone()).await;
                alike(self.driver.create(record).await, wanted, "create").map(drop)
            }
            Call::CreateMany(tokens) => {
                let now = self.clock.now();
                let records = tokens.iter().map(|token| record(token, &self.ids, now));
                self.create_many(records.collect::<Check<_>>()?).await
            }
            Call::Get(id) => self.get(*id).await,
            Call::Delete(id) => {
                let id = self.ids[*id];
                let wanted = self.reference.delete(&id).await;
                if alike(self.driver.delete(&id).await, wanted, "delete")?.is_some() {
                    self.revoked_by.insert(id, self.calls);
                }
                Ok(())
            }
            Call::DeleteTokens(wanted) => {
                let filter = filter(wanted, self.clock.now())?;
                self.delete_tokens(&filter).await
            }
            Call::List(wanted, limit) => {
                let filter = filter(wanted, self.clock.now())?;
                self.list(&filter, *limit).await
            }
            Call::NextPage(wanted, limit) => {
                let filter = filter(wanted, self.clock.now())?;
                self.next_page(filter, *limit).await
            }
            Call::Follow(limit) => self.follow(*limit).await,
            Call::Replace {
                id,
                version,
                expires,
                data,
            } => {
                let change = Replacement {
                    id: self.ids[*id],
                    expires_at: later(self.clock.now(), *expires),
                    data: vec![*data; usize::from(*data)].into(),
                };
                let wanted = self.reference.replace(change.clone(), *version).await;
                let found = self.driver.replace(change, *version).await;
                alike(found, wanted, "replace").map(drop)
            }
            Call::Rotate(old, token) => {
                let successor = record(token, &self.ids, self.clock.now())?;
                self.rotate(self.ids[*old], successor).await
            }
            Call::Flush(limit) => self.flush(*limit).await,
            Call::Advance(span) => {
                self.advance(*span);
                Ok(())
            }
        }?;
        self.watch().await
    }

    /// Compares all there is to read, once more when what lives for microseconds has been flushed,
    /// and then lets everything expire and flushes it.
    pub(super) async fn finish(&mut self) -> Check {
        self.look_at_everything().await?;
        self.advance(3);
        self.flush(100).await?;
        self.look_at_everything().await?;
        self.advance(HOUR);
        self.flush(100).await?;
        self.look_at_everything().await
    }

    async fn look_at_everything(&mut self) -> Check {
        for id in 0..IDS {
            self.get(id).await?;
        }
        for anchor in Anchor::ALL {
            for name in NAMES {
                let filter = match anchor {
                    Anchor::Trust => TokenFilter::new().with_trust(name),
                    Anchor::User => TokenFilter::new().with_user(name),
                    Anchor::Consumer => TokenFilter::new().with_consumer(name),
                    Anchor::Tenant => TokenFilter::new().with_tenant(name),
                    Anchor::Domain => TokenFilter::new().with_domain(name),
                };
                self.list(&filter?, 3).await?;
            }
        }
        self.follow(3).await
    }

    fn advance(&self, span: Offset) {
        self.clock
            .advance(Duration::from_micros(span.unsigned_abs()));
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Check {
        let wanted = self.reference.create_many(records.clone()).await?;
        let found = self.driver.create_many(records).await?;
        let kinds = |answers: Vec<Result<(), Error>>| -> Vec<_> {
            let kind = |answer: Result<(), Error>| answer.map_err(|error| error.kind());
            answers.into_iter().map(kind).collect()
        };
        same(&kinds(found), &kinds(wanted), "create_many")
    }

    async fn get(&self, id: usize) -> Check {
        let id = &self.ids[id];
        let wanted = self.reference.get(id).await;
        alike(self.driver.get(id).await, wanted, "get").map(drop)
    }

    async fn delete_tokens(&mut self, filter: &TokenFilter) -> Check {
        let sorted = |mut ids: Vec<TokenId>| {
            ids.sort();
            ids
        };
        let wanted = self.reference.delete_tokens(filter).await.map(sorted);
        let found = self.driver.delete_tokens(filter).await.map(sorted);
        let revoked = alike(found, wanted, "delete_tokens")?;
        let by = self.calls;
        let revoked = revoked.into_iter().flatten().map(|id| (id, by));
        self.revoked_by.extend(revoked);
        Ok(())
    }

    async fn rotate(&mut self, old: TokenId, successor: TokenRecord) -> Check {
        let wanted = self.reference.rotate(&old, successor.clone()).await;
        let found = self.driver.rotate(&old, successor).await;
        if alike(found, wanted, "rotate")? == Some(Rotation::Rotated) {
            self.revoked_by.insert(old, self.calls);
        }
        Ok(())
    }

    async fn list(&self, filter: &TokenFilter, limit: u32) -> Check {
        let sorted = |mut tokens: Vec<TokenRecord>| {
            tokens.sort_by_key(|token| token.id);
            tokens
        };
        let wanted = self.reference.list_all(filter).await.map(sorted);
        let found = list_whole(&*self.driver, filter, limit).await?;
        alike(found.map(sorted), wanted, "list").map(drop)
    }

    async fn next_page(&mut self, filter: TokenFilter, limit: u32) -> Check {
        let listing = match &mut self.listing {
            Some(listing) => listing,
            None => {
                let active = match self.reference.list_all(&filter).await {
                    Ok(active) => active,
                    // Refused, by the store as well.
                    Err(error) => {
                        let found = list_whole(&*self.driver, &filter, limit).await?;
                        return alike(found, Err(error), "list").map(drop);
                    }
                };
                let listing = Listing::new(filter, &active);
                self.listing.insert(listing)
            }
        };
        let active = self.reference.list_all(listing.filter()).await?;
        let ended = listing.next_page(&*self.driver, limit, &active).await?;
        if ended {
            self.listing = None;
        }
        Ok(())
    }

    /// Tells the listing under way what is active now.
    async fn watch(&mut self) -> Check {
        if let Some(listing) = &mut self.listing {
            let active = self.reference.list_all(listing.filter()).await?;
            listing.watch(&active);
        }
        Ok(())
    }

    async fn follow(&mut self, limit: u32) -> Check {
        let wanted = self.reference_feed.follow(&self.reference, 1_000).await?;
        let found = self.feed.follow(&*self.driver, limit).await?;
        self.in_order(&found)?;
        let sorted = |mut tokens: Vec<RevokedToken>| {
            tokens.sort_by_key(|token| token.id);
            tokens
        };
        same(&sorted(found), &sorted(wanted), "what is new in the feed")
    }

    /// Those that one call revoked may come in any order.
    fn in_order(&self, feed: &[RevokedToken]) -> Check {
        let order = feed.iter().map(|token| self.revoked_by.get(&token.id));
        ensure(
            order.is_sorted(),
            format!("the feed is not in order of revocation: {feed:?}"),
        )
    }

    /// Which expired tokens go first is the driver's own; so both flush until none is left.
    async fn flush(&self, limit: u32) -> Check {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let wanted = self.reference.flush_all_expired(limit).await?;
        let mut found = 0;
        for _ in 0..=10_000 {
            let flushed = self.driver.flush_expired(limit).await?;
            ensure(
                flushed.removed <= u64::from(limit.get()),
                format!("a flush removed {} of {limit} at most", flushed.removed),
            )?;
            found += flushed.removed;
            if !flushed.more {
                return same(&found, &wanted, "how many tokens the flushes removed");
            }
        }
        Err(Failure::new("the flushes do not come to an end"))
    }
}

/// Fails unless both succeeded with the same or failed with the same kind; gives what they
/// succeeded with.
#[track_caller]
fn alike<T: PartialEq + Debug>(
    found: Result<T, Error>,
    wanted: Result<T, Error>,
    what: &str,
) -> Check<Option<T>> {
    let kind = |answer: Result<T, Error>| answer.map_err(|error| error.kind());
    let wanted: Result<T, ErrorKind> = kind(wanted);
    same(&kind(found), &wanted, what)?;
    Ok(wanted.ok())
}
