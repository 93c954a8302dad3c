//! What a faulty driver is made of: the reference driver, and the methods that get it wrong.

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_core::{
    Clock, Flushed, MemoryDriver, Page, PageRequest, Replacement, Result, RevokedToken, Rotation,
    StoreInfo, Timestamp, TokenDriver, TokenFilter, TokenId, TokenRecord,
};

/// How long a call waits for another one, and how often it lets others run at least: a machine that has
/// other things to do may leave them all alone for a while. It is only a few calls that wait in vain.
const ALONE: Duration = Duration::from_millis(100);
const TURNS: u32 = 200;

/// Lets others run until this is so, or they have had time enough for it.
pub(crate) async fn others_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    for turn in 0_u32.. {
        let is_in_vain = turn > TURNS && began.elapsed() > ALONE;
        if is_so() || is_in_vain {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// The reference driver below a fault, and its clock.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    pub(crate) driver: MemoryDriver,
    clock: Arc<dyn Clock>,
    pauses: Arc<AtomicU64>,
}

impl Sound {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            driver: MemoryDriver::new(Arc::clone(&clock)),
            clock,
            pauses: Arc::default(),
        }
    }

    /// The moment between looking and writing: other tasks run, and another call comes to its own
    /// such moment, if there is one.
    pub(crate) async fn pause(&self) {
        let mine = self.pauses.fetch_add(1, Ordering::SeqCst) + 1;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        others_until(|| self.pauses.load(Ordering::SeqCst) > mine).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes an active token absent as if it had never been.
    pub(crate) async fn evict(&self, id: &TokenId) {
        let change = Replacement {
            id: *id,
            expires_at: Timestamp::MIN,
            data: Default::default(),
        };
        for version in 1..1_000 {
            if self.driver.replace(change.clone(), version).await.is_ok() {
                return;
            }
        }
    }
}

/// One fault: what a method does instead of what the reference driver does.
#[async_trait]
pub(crate) trait Fault: Debug + Default + Send + Sync + 'static {
    fn clock(clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        clock
    }

    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        sound.driver.create(record).await
    }

    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        sound.driver.get(id).await
    }

    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        sound.driver.delete(id).await
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        sound.driver.delete_tokens(filter).await
    }

    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        sound.driver.list(filter, page).await
    }

    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        sound.driver.list_revoked(page).await
    }

    async fn replace(&self, sound: &Sound, change: Replacement, expected: u64) -> Result<u64> {
        sound.driver.replace(change, expected).await
    }

    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        sound.driver.rotate(old, new).await
    }

    async fn flush_expired(&self, sound: &Sound, limit: NonZeroU32) -> Result<Flushed> {
        sound.driver.flush_expired(limit).await
    }

    async fn create_many(
        &self,
        sound: &Sound,
        records: Vec<TokenRecord>,
    ) -> Result<Vec<Result<()>>> {
        sound.driver.create_many(records).await
    }
}

/// A driver with one fault.
#[derive(Debug)]
pub(crate) struct Broken<F> {
    fault: Arc<F>,
    sound: Sound,
}

impl<F: Fault> Broken<F> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            fault: Arc::default(),
            sound: Sound::new(F::clock(clock)),
        }
    }

    /// Another handle of the same node.
    pub(crate) fn handle(&self) -> Self {
        Self {
            fault: Arc::clone(&self.fault),
            sound: self.sound.clone(),
        }
    }

    /// A handle of another node on the same store, with whatever state the fault has for itself.
    pub(crate) fn node(&self) -> Self {
        Self {
            fault: Arc::default(),
            sound: self.sound.clone(),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<F: Fault> TokenDriver for Broken<F> {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        self.fault.create(&self.sound, record).await
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        self.fault.get(&self.sound, id).await
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        self.fault.delete(&self.sound, id).await
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        self.fault.delete_tokens(&self.sound, filter).await
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        self.fault.list(&self.sound, filter, page).await
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        self.fault.list_revoked(&self.sound, page).await
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        self.fault
            .replace(&self.sound, change, expected_version)
            .await
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        self.fault.rotate(&self.sound, old, successor).await
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        self.fault.flush_expired(&self.sound, limit).await
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        self.fault.create_many(&self.sound, records).await
    }

    async fn check(&self) -> Result<StoreInfo> {
        self.sound.driver.check().await
    }
}
