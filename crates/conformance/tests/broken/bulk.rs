//! Faults of `delete_tokens`.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{
    Anchor, Page, PageRequest, Result, RevokedToken, Rotation, TokenDriver, TokenDriverExt,
    TokenFilter, TokenId, TokenRecord,
};

use crate::fault::{Fault, Sound, others_until};
use crate::found_by;
use crate::notes::{Notes, locked};

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<TrustsAreNotIndexed>("contract::delete_tokens_by_trust"),
        found_by::<ConsumersAreNotIndexed>("contract::delete_tokens_by_consumer"),
        found_by::<DomainsAreNotIndexed>("contract::delete_tokens_by_domain"),
        found_by::<NoAnchorRevokesAll>("contract::delete_tokens_of_no_filter_is_refused"),
        found_by::<ConditionsAreJoinedByOr>("contract::delete_tokens_of_a_user_in_a_tenant"),
        found_by::<IssuedBeforeIsInclusive>("contract::issued_before_leaves_out_its_own_instant"),
        found_by::<BulkIsNotInTheFeed>("contract::delete_tokens_fills_the_feed"),
        found_by::<TheIndexLags>("concurrency::bulk_revoke_misses_no_finished_create"),
        found_by::<BulkClaimsWhatItSaw>(
            "concurrency::concurrent_bulk_revokes_share_out_the_tokens",
        ),
        found_by::<BulkClaimsWhatItSaw>("concurrency::random_bulk_calls_have_an_order"),
        found_by::<BulkStopsAtAPage>("contract::fifty_thousand_tokens_of_one_user"),
        found_by::<BulkWalksOnce>("concurrency::no_family_escapes_one_bulk_revoke"),
        found_by::<BulkFollowsTheStored>("concurrency::no_family_escapes_whose_past_is_flushed"),
    ]
}

/// Takes nothing for an answer if the filter has this anchor.
async fn unless_by(anchor: Anchor, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
    if anchor.wanted(filter).is_some() {
        return Ok(Vec::new());
    }
    sound.driver.delete_tokens(filter).await
}

#[derive(Debug, Default)]
struct TrustsAreNotIndexed;

#[async_trait]
impl Fault for TrustsAreNotIndexed {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        unless_by(Anchor::Trust, sound, filter).await
    }
}

#[derive(Debug, Default)]
struct ConsumersAreNotIndexed;

#[async_trait]
impl Fault for ConsumersAreNotIndexed {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        unless_by(Anchor::Consumer, sound, filter).await
    }
}

#[derive(Debug, Default)]
struct DomainsAreNotIndexed;

#[async_trait]
impl Fault for DomainsAreNotIndexed {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        unless_by(Anchor::Domain, sound, filter).await
    }
}

/// A `WHERE` that is empty.
#[derive(Debug, Default)]
struct NoAnchorRevokesAll(Notes);

#[async_trait]
impl Fault for NoAnchorRevokesAll {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        self.0.keep(&record);
        sound.driver.create(record).await
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        if filter.check().is_ok() {
            return sound.driver.delete_tokens(filter).await;
        }
        let all: Vec<_> = self.0.all().keys().copied().collect();
        for id in &all {
            sound.driver.delete(id).await?;
        }
        Ok(all)
    }
}

/// `OR` where `AND` belongs.
#[derive(Debug, Default)]
struct ConditionsAreJoinedByOr;

#[async_trait]
impl Fault for ConditionsAreJoinedByOr {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let mut revoked = Vec::new();
        for anchor in Anchor::ALL {
            let Some(wanted) = anchor.wanted(filter) else {
                continue;
            };
            let alone = match anchor {
                Anchor::Trust => TokenFilter::new().with_trust(wanted),
                Anchor::User => TokenFilter::new().with_user(wanted),
                Anchor::Consumer => TokenFilter::new().with_consumer(wanted),
                Anchor::Tenant => TokenFilter::new().with_tenant(wanted),
                Anchor::Domain => TokenFilter::new().with_domain(wanted),
            };
            revoked.extend(sound.driver.delete_tokens(&alone?).await?);
        }
        Ok(revoked)
    }
}

/// `<=` where `<` belongs.
#[derive(Debug, Default)]
struct IssuedBeforeIsInclusive;

#[async_trait]
impl Fault for IssuedBeforeIsInclusive {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let tick = Duration::from_micros(1);
        let late = filter.issued_before.map(|at| at.saturating_add(tick));
        let filter = TokenFilter {
            issued_before: late,
            ..filter.clone()
        };
        sound.driver.delete_tokens(&filter).await
    }
}

/// Only single revocations are told to followers.
#[derive(Debug, Default)]
struct BulkIsNotInTheFeed(Mutex<Vec<TokenId>>);

#[async_trait]
impl Fault for BulkIsNotInTheFeed {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let revoked = sound.driver.delete_tokens(filter).await?;
        locked(&self.0).extend(&revoked);
        Ok(revoked)
    }

    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let mut page = sound.driver.list_revoked(page).await?;
        let bulk = locked(&self.0);
        page.items.retain(|token| !bulk.contains(&token.id));
        Ok(page)
    }
}

/// A token is in the index only once the next one is created.
#[derive(Debug, Default)]
struct TheIndexLags(Mutex<Option<TokenId>>);

#[async_trait]
impl Fault for TheIndexLags {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let id = record.id;
        sound.driver.create(record).await?;
        *locked(&self.0) = Some(id);
        Ok(())
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let mut revoked = Vec::new();
        for token in sound.driver.list_all(filter).await? {
            let indexed = *locked(&self.0) != Some(token.id);
            if indexed && sound.driver.delete(&token.id).await.is_ok() {
                revoked.push(token.id);
            }
        }
        Ok(revoked)
    }
}

/// Answers what matched, though another call may have revoked it in between.
#[derive(Debug, Default)]
struct BulkClaimsWhatItSaw;

#[async_trait]
impl Fault for BulkClaimsWhatItSaw {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let seen = sound.driver.list_all(filter).await?;
        sound.pause().await;
        sound.driver.delete_tokens(filter).await?;
        Ok(seen.into_iter().map(|token| token.id).collect())
    }
}

/// Revokes the first page of what matches.
#[derive(Debug, Default)]
struct BulkStopsAtAPage;

#[async_trait]
impl Fault for BulkStopsAtAPage {
    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let page = sound.driver.list(filter, &PageRequest::default()).await?;
        let mut revoked = Vec::new();
        for token in page.items {
            sound.driver.delete(&token.id).await?;
            revoked.push(token.id);
        }
        Ok(revoked)
    }
}

/// How many rotations there is time for beside a page.
const BESIDE_A_PAGE: usize = 8;

/// How often tokens were rotated.
#[derive(Debug, Default)]
struct Rotations(AtomicUsize);

impl Rotations {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn note(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets others rotate, as a store does that takes its time over a page. Families come to an end.
    async fn go_on(&self) {
        let enough = self.count() + BESIDE_A_PAGE;
        others_until(|| self.count() >= enough).await;
    }
}

/// Page by page in order of the ids: what is stored behind the page at hand is not seen, nor what took the place
/// of a token on it.
async fn walk(sound: &Sound, filter: &TokenFilter, rotations: &Rotations) -> Result<Vec<TokenId>> {
    let mut revoked = Vec::new();
    let mut request = PageRequest::new(100)?;
    loop {
        let page = sound.driver.list(filter, &request).await?;
        rotations.go_on().await;
        for token in &page.items {
            if sound.driver.delete(&token.id).await.is_ok() {
                revoked.push(token.id);
            }
        }
        if !page.more {
            return Ok(revoked);
        }
        request = request.after(page.cursor);
    }
}

/// Does not look for what took a token's place behind it.
#[derive(Debug, Default)]
struct BulkWalksOnce(Rotations);

#[async_trait]
impl Fault for BulkWalksOnce {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        self.0.note();
        sound.driver.rotate(old, new).await
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        walk(sound, filter, &self.0).await
    }
}

/// Looks for what took a token's place by way of the tokens that were rotated, and these may be gone.
#[derive(Debug, Default)]
struct BulkFollowsTheStored {
    rotated: Mutex<Vec<(TokenId, TokenId)>>,
    rotations: Rotations,
}

#[async_trait]
impl Fault for BulkFollowsTheStored {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        self.rotations.note();
        let successor = new.id;
        let rotation = sound.driver.rotate(old, new).await?;
        if rotation == Rotation::Rotated {
            locked(&self.rotated).push((*old, successor));
        }
        Ok(rotation)
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let mut revoked = walk(sound, filter, &self.rotations).await?;
        loop {
            let stored = sound.driver.list_all_revoked().await?;
            let stored: BTreeSet<_> = stored.iter().map(|token| token.id).collect();
            let rotations = locked(&self.rotated).clone();
            let before = revoked.len();
            for (old, successor) in rotations {
                if stored.contains(&old) && sound.driver.delete(&successor).await.is_ok() {
                    revoked.push(successor);
                }
            }
            if revoked.len() == before {
                return Ok(revoked);
            }
        }
    }
}
