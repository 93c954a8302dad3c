//! Faults of `replace`.

use std::num::NonZeroU32;

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{
    Error, ErrorKind, Flushed, Page, PageRequest, Replacement, Result, TokenDriver, TokenFilter,
    TokenId, TokenRecord,
};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::Notes;

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<ReplaceIgnoresTheVersion>("contract::replace_of_another_version_conflicts"),
        found_by::<ReplaceKeepsTheVersion>("contract::replace_counts_the_version_up"),
        found_by::<ReplaceLooksThenWrites>(
            "concurrency::concurrent_read_modify_replace_loses_nothing",
        ),
        found_by::<ReplaceRevives>("contract::replace_of_a_revoked_token_is_not_found"),
        found_by::<LateReplaceRevives>("concurrency::a_late_replace_never_revives_a_deleted_token"),
        found_by::<LateReplaceRevives>("concurrency::random_revocations_are_final"),
        found_by::<ReplaceCountsNoRows>("concurrency::tokens_extended_beside_a_flush_are_kept"),
        found_by::<ReplaceLosesTheIndex>("contract::replace_that_extends_keeps_every_index"),
        found_by::<ReplaceLeavesTheOldExpiry>(
            "contract::replace_that_extends_is_not_flushed_at_the_old_expiry",
        ),
        found_by::<ReplaceLeavesTheOldExpiry>(
            "contract::random_calls_answer_as_the_reference_does",
        ),
    ]
}

/// The last writer wins.
#[derive(Debug, Default)]
struct ReplaceIgnoresTheVersion;

#[async_trait]
impl Fault for ReplaceIgnoresTheVersion {
    async fn replace(&self, sound: &Sound, change: Replacement, _: u64) -> Result<u64> {
        let found = sound.driver.get(&change.id).await?;
        sound.driver.replace(change, found.version).await
    }
}

/// Every version is the first.
#[derive(Debug, Default)]
struct ReplaceKeepsTheVersion;

#[async_trait]
impl Fault for ReplaceKeepsTheVersion {
    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        let found = sound.driver.get(&change.id).await?;
        sound.driver.replace(change, found.version).await?;
        Ok(expected)
    }

    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        let found = sound.driver.get(id).await?;
        Ok(TokenRecord {
            version: 1,
            ..found
        })
    }
}

/// The version is compared in the program and not in the statement.
#[derive(Debug, Default)]
struct ReplaceLooksThenWrites;

#[async_trait]
impl Fault for ReplaceLooksThenWrites {
    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        let found = sound.driver.get(&change.id).await?;
        if found.version != expected {
            return Err(Error::conflict(expected, found.version));
        }
        sound.pause().await;
        let found = sound.driver.get(&change.id).await?;
        sound.driver.replace(change, found.version).await?;
        Ok(expected + 1)
    }
}

/// Writes the record back over its revocation.
#[derive(Debug, Default)]
struct ReplaceRevives(Notes);

#[async_trait]
impl Fault for ReplaceRevives {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        self.0.keep(&record);
        sound.driver.create(record).await
    }

    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        match sound.driver.replace(change.clone(), expected).await {
            Err(error) if error.kind() == ErrorKind::NotFound && self.0.has(&change.id) => {
                Ok(expected + 1)
            }
            answer => answer,
        }
    }
}

/// Looks whether the token is active, and writes it whole a moment later.
#[derive(Debug, Default)]
struct LateReplaceRevives(Notes);

#[async_trait]
impl Fault for LateReplaceRevives {
    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        let found = sound.driver.get(&change.id).await?;
        sound.pause().await;
        match sound.driver.replace(change.clone(), expected).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Replacement {
                    expires_at, data, ..
                } = change;
                self.0.keep(&TokenRecord {
                    expires_at,
                    data,
                    version: expected + 1,
                    ..found
                });
                Ok(expected + 1)
            }
            answer => answer,
        }
    }

    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        match self.0.of(id) {
            Some(revived) => Ok(revived),
            None => sound.driver.get(id).await,
        }
    }
}

/// Looks whether the token is active, and does not look whether the write a moment later met it.
#[derive(Debug, Default)]
struct ReplaceCountsNoRows;

#[async_trait]
impl Fault for ReplaceCountsNoRows {
    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        sound.driver.get(&change.id).await?;
        sound.pause().await;
        sound
            .driver
            .replace(change, expected)
            .await
            .or(Ok(expected + 1))
    }
}

/// Writes the record and forgets who it is for.
#[derive(Debug, Default)]
struct ReplaceLosesTheIndex(Notes);

#[async_trait]
impl Fault for ReplaceLosesTheIndex {
    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        let version = sound.driver.replace(change.clone(), expected).await?;
        self.0.keep(&sound.driver.get(&change.id).await?);
        Ok(version)
    }

    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        let mut page = sound.driver.list(filter, page).await?;
        page.items.retain(|token| !self.0.has(&token.id));
        Ok(page)
    }
}

/// The order by expiry keeps the entry from before, and flushing goes by it.
#[derive(Debug, Default)]
struct ReplaceLeavesTheOldExpiry(Notes);

#[async_trait]
impl Fault for ReplaceLeavesTheOldExpiry {
    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        let old = sound.driver.get(&change.id).await?;
        let version = sound.driver.replace(change, expected).await?;
        self.0.keep(&old);
        Ok(version)
    }

    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        let old: Vec<_> = self.0.all().values().cloned().collect();
        for token in old.iter().filter(|token| token.is_expired(sound.now())) {
            sound.evict(&token.id).await;
            self.0.drop(&token.id);
        }
        sound.driver.flush_expired(limit).await
    }
}
