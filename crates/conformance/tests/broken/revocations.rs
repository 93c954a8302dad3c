//! Faults of `delete`, and of expiry.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{Clock, Result, SystemClock, Timestamp, TokenDriver, TokenId, TokenRecord};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::Notes;

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<DeleteTwiceSucceeds>("contract::delete_twice_is_not_found"),
        found_by::<DeleteLooksThenWrites>("concurrency::one_of_100_concurrent_deletes_wins"),
        found_by::<DeleteOfTheExpiredSucceeds>("contract::delete_at_expiry_is_not_found"),
        found_by::<DeleteRemoves>("contract::revoked_stays_revoked_until_it_expires"),
        found_by::<DeleteIsSeenLate>("concurrency::every_task_sees_a_finished_write"),
        found_by::<ExpiresATickLate>("contract::get_at_expiry_is_not_found"),
        found_by::<ReadsTheMachinesClock>(
            "contract::an_expiry_in_the_next_century_is_judged_by_the_clock",
        ),
    ]
}

/// Sets the state without looking at it.
#[derive(Debug, Default)]
struct DeleteTwiceSucceeds;

#[async_trait]
impl Fault for DeleteTwiceSucceeds {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        sound.driver.delete(id).await.or(Ok(()))
    }
}

/// Looks whether the token is active, and sets its state a moment later.
#[derive(Debug, Default)]
struct DeleteLooksThenWrites;

#[async_trait]
impl Fault for DeleteLooksThenWrites {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        sound.driver.get(id).await?;
        sound.pause().await;
        sound.driver.delete(id).await.or(Ok(()))
    }
}

/// Does not look at the expiry.
#[derive(Debug, Default)]
struct DeleteOfTheExpiredSucceeds(Notes);

#[async_trait]
impl Fault for DeleteOfTheExpiredSucceeds {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        self.0.keep(&record);
        sound.driver.create(record).await
    }

    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        let expired = |token: TokenRecord| token.is_expired(sound.now());
        if self.0.of(id).is_some_and(expired) {
            return Ok(());
        }
        sound.driver.delete(id).await
    }
}

/// A revoked token leaves nothing that would hold its id.
#[derive(Debug, Default)]
struct DeleteRemoves;

#[async_trait]
impl Fault for DeleteRemoves {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        sound.driver.get(id).await?;
        sound.evict(id).await;
        Ok(())
    }
}

/// The answer comes before the write.
#[derive(Debug, Default)]
struct DeleteIsSeenLate;

#[async_trait]
impl Fault for DeleteIsSeenLate {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        sound.driver.get(id).await?;
        let (sound, id) = (sound.clone(), *id);
        tokio::spawn(async move {
            sound.pause().await;
            sound.driver.delete(&id).await
        });
        Ok(())
    }
}

/// A token is good at its expiry still: `<` where `<=` belongs.
#[derive(Debug, Default)]
struct ExpiresATickLate;

#[derive(Debug)]
struct ATickLate(Arc<dyn Clock>);

impl Clock for ATickLate {
    fn now(&self) -> Timestamp {
        self.0.now().saturating_sub(Duration::from_micros(1))
    }
}

impl Fault for ExpiresATickLate {
    fn clock(clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::new(ATickLate(clock))
    }
}

/// Asks the machine instead of the clock it was given.
#[derive(Debug, Default)]
struct ReadsTheMachinesClock;

impl Fault for ReadsTheMachinesClock {
    fn clock(_: Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}
