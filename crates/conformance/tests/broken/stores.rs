//! Faults of the store as a whole: handles, namespaces, and what leaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_conformance::{Owned, from_fn};
use tokenkeep_core::{
    Clock, Error, ErrorKind, MemoryDriver, Result, TokenDriver, TokenId, TokenRecord,
};

use crate::fault::{Broken, Fault, Sound};
use crate::notes::Notes;
use crate::{found_by, found_in};

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_in(
            "NamespacesShare",
            "contract::a_neighbour_does_not_see_a_token",
            || {
                from_fn(|clock: Arc<dyn Clock>| async move {
                    let driver = MemoryDriver::new(clock);
                    Ok(Owned::new(driver.clone()).with_neighbour(driver))
                })
            },
        ),
        found_in(
            "HandlesAreApart",
            "contract::a_second_handle_sees_a_create",
            || {
                from_fn(|clock: Arc<dyn Clock>| async move {
                    let second = MemoryDriver::new(Arc::clone(&clock));
                    Ok(Owned::new(MemoryDriver::new(clock)).with_second_handle(second))
                })
            },
        ),
        found_in(
            "HandlesCacheReads",
            "concurrency::every_handle_sees_a_finished_write",
            || {
                from_fn(|clock: Arc<dyn Clock>| async move {
                    let first = Broken::<CachesReads>::new(clock);
                    let second = first.node();
                    Ok(Owned::new(first).with_second_handle(second))
                })
            },
        ),
        found_by::<ConnectionsRunOut>(
            "concurrency::three_hundred_mixed_calls_at_once_answer_rightly",
        ),
        found_by::<ErrorsShowTheRecord>("contract::errors_hold_neither_secret_nor_data"),
        found_by::<DebugShowsTheRecords>(
            "contract::debug_of_a_driver_holds_neither_secret_nor_data",
        ),
    ]
}

/// Keeps what it has read once.
#[derive(Debug, Default)]
struct CachesReads(Notes);

#[async_trait]
impl Fault for CachesReads {
    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        if let Some(cached) = self.0.of(id) {
            return Ok(cached);
        }
        let found = sound.driver.get(id).await?;
        self.0.keep(&found);
        Ok(found)
    }
}

/// Refuses a call for which it has no connection, where it should let it wait.
#[derive(Debug, Default)]
struct ConnectionsRunOut(AtomicUsize);

#[async_trait]
impl Fault for ConnectionsRunOut {
    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        let taken = self.0.fetch_add(1, Ordering::SeqCst);
        // The time that an answer takes.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let answer = if taken < 8 {
            sound.driver.get(id).await
        } else {
            Err(Error::new(ErrorKind::Unavailable, "too many connections"))
        };
        self.0.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

/// Tells in the error what it was about.
#[derive(Debug, Default)]
struct ErrorsShowTheRecord;

#[async_trait]
impl Fault for ErrorsShowTheRecord {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let told = format!("on inserting {record:?}");
        let created = sound.driver.create(record).await;
        created.map_err(|error| Error::new(error.kind(), told))
    }
}

/// Derives `Debug` over what it holds.
#[derive(Debug, Default)]
struct DebugShowsTheRecords(Notes);

#[async_trait]
impl Fault for DebugShowsTheRecords {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        self.0.keep(&record);
        sound.driver.create(record).await
    }
}
