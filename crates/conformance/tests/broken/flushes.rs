//! Faults of `flush_expired`.

use std::num::NonZeroU32;

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{
    Flushed, Page, PageRequest, Result, RevokedToken, TokenDriver, TokenDriverExt, TokenId,
    TokenRecord,
};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::Notes;

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<FlushRemovesTheRevoked>(
            "contract::flush_keeps_revoked_tokens_until_they_expire",
        ),
        found_by::<FlushRemovesTheRevoked>("concurrency::flush_beside_load_leaves_the_unexpired"),
        found_by::<FlushIgnoresItsLimit>("contract::flush_keeps_to_its_limit"),
        found_by::<FlushSaysAlwaysMore>("contract::flush_says_no_more_when_none_wait"),
        found_by::<FlushNeverSaysMore>("contract::flush_of_a_thousand_by_batches"),
        found_by::<FlushTakesASecondLife>("contract::a_flush_leaves_a_second_life_alone"),
        found_by::<FlushLooksThenRemoves>("concurrency::ids_created_anew_beside_a_flush_are_kept"),
        found_by::<FlushCountsWhatItSaw>(
            "concurrency::concurrent_flushes_remove_each_expired_token_once",
        ),
        found_by::<FlushCountsWhatItSaw>("concurrency::ten_nodes_flush_beside_load"),
        found_by::<FlushRemovesTheRevoked>("concurrency::ten_nodes_flush_beside_load"),
    ]
}

const EVERY: NonZeroU32 = NonZeroU32::MAX;

/// Takes revoked tokens for rubbish.
#[derive(Debug, Default)]
struct FlushRemovesTheRevoked(Notes);

#[async_trait]
impl Fault for FlushRemovesTheRevoked {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        let token = sound.driver.get(id).await?;
        sound.driver.delete(id).await?;
        self.0.keep(&token);
        Ok(())
    }

    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        let flushed = sound.driver.flush_expired(limit).await?;
        if !flushed.more {
            for token in self.0.all().values_mut() {
                token.version = 0;
            }
        }
        Ok(flushed)
    }

    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let mut page = sound.driver.list_revoked(page).await?;
        let removed = |id: &TokenId| self.0.of(id).is_some_and(|token| token.version == 0);
        page.items.retain(|token| !removed(&token.id));
        Ok(page)
    }
}

#[derive(Debug, Default)]
struct FlushIgnoresItsLimit;

#[async_trait]
impl Fault for FlushIgnoresItsLimit {
    async fn flush_expired(&self, sound: &Sound, _: NonZeroU32) -> Result<Flushed> {
        sound.driver.flush_expired(EVERY).await
    }
}

/// A full batch is taken for a sign of more.
#[derive(Debug, Default)]
struct FlushSaysAlwaysMore;

#[async_trait]
impl Fault for FlushSaysAlwaysMore {
    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        let Flushed { removed, .. } = sound.driver.flush_expired(limit).await?;
        Ok(Flushed {
            removed,
            more: removed == u64::from(limit.get()),
        })
    }
}

#[derive(Debug, Default)]
struct FlushNeverSaysMore;

#[async_trait]
impl Fault for FlushNeverSaysMore {
    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        let Flushed { removed, .. } = sound.driver.flush_expired(limit).await?;
        Ok(Flushed {
            removed,
            more: false,
        })
    }
}

/// The first life of an id leaves its place in the order by expiry, which the second then has too.
#[derive(Debug, Default)]
struct FlushTakesASecondLife(Notes);

#[async_trait]
impl Fault for FlushTakesASecondLife {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let first = record.clone();
        sound.driver.create(record).await?;
        if !self.0.has(&first.id) {
            self.0.keep(&first);
        }
        Ok(())
    }

    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        let first: Vec<_> = self.0.all().values().cloned().collect();
        for token in first.iter().filter(|token| token.is_expired(sound.now())) {
            sound.evict(&token.id).await;
        }
        sound.driver.flush_expired(limit).await
    }
}

/// The tokens that a driver noted and that have expired.
fn expired(notes: &Notes, sound: &Sound, limit: NonZeroU32) -> Vec<TokenRecord> {
    let notes = notes.all();
    let expired = notes.values().filter(|token| token.is_expired(sound.now()));
    expired.take(limit.get() as usize).cloned().collect()
}

/// Looks for what has expired, and removes these ids a moment later, whatever they are by then.
#[derive(Debug, Default)]
struct FlushLooksThenRemoves(Notes);

#[async_trait]
impl Fault for FlushLooksThenRemoves {
    async fn create_many(
        &self,
        sound: &Sound,
        records: Vec<TokenRecord>,
    ) -> Result<Vec<Result<()>>> {
        records.iter().for_each(|record| self.0.keep(record));
        sound.driver.create_many(records).await
    }

    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        let seen = expired(&self.0, sound, limit);
        sound.pause().await;
        for token in seen {
            self.0.drop(&token.id);
            sound.evict(&token.id).await;
        }
        sound.driver.flush_expired(limit).await
    }
}

/// Answers how many it saw, though another flush may have removed some of them.
#[derive(Debug, Default)]
struct FlushCountsWhatItSaw(Notes);

#[async_trait]
impl Fault for FlushCountsWhatItSaw {
    async fn create_many(
        &self,
        sound: &Sound,
        records: Vec<TokenRecord>,
    ) -> Result<Vec<Result<()>>> {
        records.iter().for_each(|record| self.0.keep(record));
        sound.driver.create_many(records).await
    }

    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        let seen = expired(&self.0, sound, limit);
        sound.pause().await;
        seen.iter().for_each(|token| self.0.drop(&token.id));
        sound.driver.flush_all_expired(EVERY).await?;
        Ok(Flushed {
            removed: seen.len() as u64,
            more: !expired(&self.0, sound, limit).is_empty(),
        })
    }
}
