//! Faults of `create` and `create_many`.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{Error, ErrorKind, Result, TokenDriver, TokenId, TokenRecord};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::Notes;

/// How long a slow disk takes for a batch.
const WRITES_A_BATCH: Duration = Duration::from_millis(200);

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<CreateOverwrites>("contract::create_twice_keeps_the_first"),
        found_by::<CreateLooksThenWrites>("concurrency::one_of_100_concurrent_creates_wins"),
        found_by::<CreateIsTwoWrites>("concurrency::a_dropped_create_is_whole_or_nothing"),
        found_by::<RevokedIdIsFree>("contract::create_over_a_revoked_token_is_refused"),
        found_by::<CreateRefusesTheExpired>(
            "contract::create_with_an_expiry_in_the_past_is_accepted",
        ),
        found_by::<CreateManyStopsAtAFailure>("contract::create_many_refuses_taken_ids_alone"),
        found_by::<CreateManyLooksThenWrites>(
            "concurrency::one_of_concurrent_create_many_wins_each_id",
        ),
        found_by::<CreateManyPassesFirst>(
            "concurrency::short_calls_get_their_turn_beside_a_long_create_many",
        ),
    ]
}

/// An upsert.
#[derive(Debug, Default)]
struct CreateOverwrites;

#[async_trait]
impl Fault for CreateOverwrites {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        sound.evict(&record.id).await;
        sound.driver.create(record).await
    }
}

/// Select, then upsert.
#[derive(Debug, Default)]
struct CreateLooksThenWrites;

#[async_trait]
impl Fault for CreateLooksThenWrites {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        if sound.driver.get(&record.id).await.is_ok() {
            return Err(Error::already_exists());
        }
        sound.pause().await;
        sound.evict(&record.id).await;
        sound.driver.create(record).await
    }
}

/// First the record, then its scope, without a transaction round both.
#[derive(Debug, Default)]
struct CreateIsTwoWrites;

#[async_trait]
impl Fault for CreateIsTwoWrites {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let bare = TokenRecord {
            tenant_id: None,
            trust_id: None,
            ..record.clone()
        };
        sound.driver.create(bare).await?;
        sound.pause().await;
        sound.evict(&record.id).await;
        sound.driver.create(record).await
    }
}

/// Takes a revoked token for an absent one.
#[derive(Debug, Default)]
struct RevokedIdIsFree(Notes);

#[async_trait]
impl Fault for RevokedIdIsFree {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let created = sound.driver.create(record.clone()).await;
        if created.is_err() && sound.driver.get(&record.id).await.is_err() {
            self.0.keep(&record);
            return Ok(());
        }
        created
    }

    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        match self.0.of(id) {
            Some(record) => Ok(record),
            None => sound.driver.get(id).await,
        }
    }
}

/// Checks too much.
#[derive(Debug, Default)]
struct CreateRefusesTheExpired;

#[async_trait]
impl Fault for CreateRefusesTheExpired {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        if record.expires_at < sound.now() {
            return Err(Error::invalid_input("expires_at", "has passed"));
        }
        sound.driver.create(record).await
    }
}

/// A batch in one statement, which the first taken id ends.
#[derive(Debug, Default)]
struct CreateManyStopsAtAFailure;

#[async_trait]
impl Fault for CreateManyStopsAtAFailure {
    async fn create_many(
        &self,
        sound: &Sound,
        records: Vec<TokenRecord>,
    ) -> Result<Vec<Result<()>>> {
        let mut answers = Vec::new();
        let mut failed = false;
        for record in records {
            let answer = if failed {
                Err(Error::new(ErrorKind::Unavailable, "the batch has ended"))
            } else {
                sound.driver.create(record).await
            };
            failed |= answer.is_err();
            answers.push(answer);
        }
        Ok(answers)
    }
}

/// Sound for one record, but a batch is checked first and written afterwards.
#[derive(Debug, Default)]
struct CreateManyLooksThenWrites;

#[async_trait]
impl Fault for CreateManyLooksThenWrites {
    async fn create_many(
        &self,
        sound: &Sound,
        records: Vec<TokenRecord>,
    ) -> Result<Vec<Result<()>>> {
        let mut free = Vec::new();
        for record in &records {
            free.push(sound.driver.get(&record.id).await.is_err());
        }
        sound.pause().await;
        let mut answers = Vec::new();
        for (record, free) in records.into_iter().zip(free) {
            if free {
                sound.evict(&record.id).await;
                sound.driver.create(record).await?;
            }
            answers.push(free.then_some(()).ok_or_else(Error::already_exists));
        }
        Ok(answers)
    }
}

/// One lock round the store, for as long as a batch takes to write.
#[derive(Debug, Default)]
struct CreateManyPassesFirst(tokio::sync::Mutex<()>);

#[async_trait]
impl Fault for CreateManyPassesFirst {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let _turn = self.0.lock().await;
        sound.driver.create(record).await
    }

    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        let _turn = self.0.lock().await;
        sound.driver.delete(id).await
    }

    async fn create_many(
        &self,
        sound: &Sound,
        records: Vec<TokenRecord>,
    ) -> Result<Vec<Result<()>>> {
        let _turn = self.0.lock().await;
        let began = Instant::now();
        while began.elapsed() < WRITES_A_BATCH {
            tokio::task::yield_now().await;
        }
        sound.driver.create_many(records).await
    }
}
