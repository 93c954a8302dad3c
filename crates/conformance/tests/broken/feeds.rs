//! Faults of `list_revoked`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{
    Cursors, Page, PageRequest, Result, RevokedToken, StoreId, TokenDriver, TokenDriverExt, TokenId,
};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::{Notes, locked};

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<FeedGoesByTimeAlone>("contract::revocations_in_one_microsecond_are_all_seen"),
        found_by::<FeedIsBackwards>("contract::the_feed_is_in_order_of_revocation"),
        found_by::<FeedGoesById>("concurrency::the_feed_keeps_the_order_of_revocations_in_a_row"),
        found_by::<FeedShowsTheExpired>("contract::list_revoked_at_expiry_is_empty"),
        found_by::<FeedNumbersBeforeItWrites>(
            "concurrency::the_feed_misses_no_concurrent_revocation",
        ),
        found_by::<FeedBeginsAnew>("contract::a_feed_cursor_resumes_after_what_was_seen"),
    ]
}

fn cursors() -> Cursors {
    Cursors::of_list_revoked(StoreId::from_u64(1))
}

/// A cursor that is the time of the last revocation seen.
#[derive(Debug, Default)]
struct FeedGoesByTimeAlone;

#[async_trait]
impl Fault for FeedGoesByTimeAlone {
    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let after = match page.cursor() {
            Some(cursor) => i64::from_be_bytes(cursors().position(cursor)?),
            None => -1,
        };
        let mut left = sound.driver.list_all_revoked().await?;
        left.retain(|token| token.revoked_at.as_micros() > after);
        let more = left.len() > page.limit();
        left.truncate(page.limit());
        let last = left.last().map(|token| token.revoked_at.as_micros());
        let cursor = last.map(|at| cursors().at(&at.to_be_bytes()));
        Ok(Page {
            items: left,
            cursor: cursor.or_else(|| page.cursor().cloned()),
            more,
        })
    }
}

/// The last revocation comes first.
#[derive(Debug, Default)]
struct FeedIsBackwards;

#[async_trait]
impl Fault for FeedIsBackwards {
    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let mut page = sound.driver.list_revoked(page).await?;
        page.items.reverse();
        Ok(page)
    }
}

/// By time, and by id within one instant.
#[derive(Debug, Default)]
struct FeedGoesById;

#[async_trait]
impl Fault for FeedGoesById {
    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let mut page = sound.driver.list_revoked(page).await?;
        page.items.sort_by_key(|token| (token.revoked_at, token.id));
        Ok(page)
    }
}

/// Shows what was revoked until it is flushed.
#[derive(Debug, Default)]
struct FeedShowsTheExpired(Notes);

#[async_trait]
impl Fault for FeedShowsTheExpired {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        let token = sound.driver.get(id).await?;
        self.0.keep(&token);
        sound.driver.delete(id).await
    }

    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let mut page = sound.driver.list_revoked(page).await?;
        let revoked = self.0.all();
        let expired = revoked
            .values()
            .filter(|token| token.is_expired(sound.now()));
        page.items.extend(expired.map(|token| RevokedToken {
            id: token.id,
            audit_id: token.audit_id.clone(),
            user_id: token.user_id.clone(),
            revoked_at: token.issued_at,
            expires_at: token.expires_at,
        }));
        Ok(page)
    }
}

/// A sequence: the number is drawn before the revocation can be seen, and a cursor is a number.
#[derive(Debug, Default)]
struct FeedNumbersBeforeItWrites {
    numbers: AtomicU64,
    numbered: Mutex<BTreeMap<TokenId, u64>>,
}

#[async_trait]
impl Fault for FeedNumbersBeforeItWrites {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst) + 1;
        sound.pause().await;
        sound.driver.delete(id).await?;
        locked(&self.numbered).insert(*id, number);
        Ok(())
    }

    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let after = match page.cursor() {
            Some(cursor) => u64::from_be_bytes(cursors().position(cursor)?),
            None => 0,
        };
        let mut left = Vec::new();
        for token in sound.driver.list_all_revoked().await? {
            // Revoked in other ways: the number is drawn late enough.
            let draw = || self.numbers.fetch_add(1, Ordering::SeqCst) + 1;
            let number = *locked(&self.numbered).entry(token.id).or_insert_with(draw);
            if number > after {
                left.push((number, token));
            }
        }
        left.sort_by_key(|(number, _)| *number);
        let more = left.len() > page.limit();
        left.truncate(page.limit());
        let last = left.last().map_or(after, |(number, _)| *number);
        Ok(Page {
            items: left.into_iter().map(|(_, token)| token).collect(),
            cursor: Some(cursors().at(&last.to_be_bytes())),
            more,
        })
    }
}

/// A cursor at the end of the feed leads back to its beginning.
#[derive(Debug, Default)]
struct FeedBeginsAnew;

#[async_trait]
impl Fault for FeedBeginsAnew {
    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let mut page = sound.driver.list_revoked(page).await?;
        if !page.more {
            page.cursor = None;
        }
        Ok(page)
    }
}
