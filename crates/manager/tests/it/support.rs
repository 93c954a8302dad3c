//! A manager on the memory driver, by a clock that stands still, seen through a window.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokenkeep::{
    Error, ErrorKind, Flushed, ManagerOptions, ManualClock, MemoryDriver, Page, PageRequest,
    Replacement, Result, RevokedToken, Rotation, StoreInfo, TokenDriver, TokenFilter, TokenId,
    TokenManager, TokenRecord, TokenSecret,
};
use tokio::sync::Semaphore;

/// What happens to the next call instead of its work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It fails, and was not applied.
    Fails(ErrorKind),
    /// It is applied, and fails.
    Applied(ErrorKind),
    Panics,
}

/// The memory driver with a look at the calls that reach it, and a way to disturb them.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) memory: MemoryDriver,
    calls: Mutex<Vec<&'static str>>,
    faults: Mutex<VecDeque<Fault>>,
    /// Each `list_revoked` takes a permit before it reads, and one after.
    pub(crate) gate: Semaphore,
}

impl Watched {
    pub(crate) fn new(clock: &Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self {
            memory: MemoryDriver::new(clock.clone()),
            calls: Mutex::default(),
            faults: Mutex::default(),
            gate: Semaphore::new(1_000),
        })
    }

    /// Disturbs the next calls, of whatever method, in this order.
    pub(crate) fn disturb(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, method: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| **call == method).count()
    }

    /// How often any method was called.
    pub(crate) fn all_calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    async fn pass<T>(
        &self,
        method: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.calls.lock().unwrap().push(method);
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            None => work.await,
            Some(Fault::Fails(kind)) => Err(Error::from(kind)),
            Some(Fault::Applied(kind)) => {
                work.await?;
                Err(Error::from(kind))
            }
            Some(Fault::Panics) => panic!("the driver panics, as it was told to"),
        }
    }

    async fn through_gate(&self) {
        self.gate.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl TokenDriver for Watched {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        self.pass("create", self.memory.create(record)).await
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        self.pass("get", self.memory.get(id)).await
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        self.pass("delete", self.memory.delete(id)).await
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        self.pass("delete_tokens", self.memory.delete_tokens(filter))
            .await
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        self.pass("list", self.memory.list(filter, page)).await
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let work = async {
            self.through_gate().await;
            let page = self.memory.list_revoked(page).await;
            self.calls.lock().unwrap().push("list_revoked has read");
            self.through_gate().await;
            page
        };
        self.pass("list_revoked", work).await
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let work = self.memory.replace(change, expected_version);
        self.pass("replace", work).await
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        self.pass("rotate", self.memory.rotate(old, successor))
            .await
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        self.pass("flush_expired", self.memory.flush_expired(limit))
            .await
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        self.pass("create_many", self.memory.create_many(records))
            .await
    }

    async fn check(&self) -> Result<StoreInfo> {
        self.pass("check", self.memory.check()).await
    }
}

/// A manager and all that it stands on.
pub(crate) struct Bench {
    pub(crate) manager: Arc<TokenManager>,
    pub(crate) driver: Arc<Watched>,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn bench() -> Bench {
    bench_with(ManagerOptions::default())
}

pub(crate) fn bench_with(options: ManagerOptions) -> Bench {
    let clock = clock();
    let driver = Watched::new(&clock);
    let manager = TokenManager::new(driver.clone(), clock.clone(), options).unwrap();
    Bench {
        manager: Arc::new(manager),
        driver,
        clock,
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2030-01-01T00:00:00Z".parse().unwrap()))
}

pub(crate) fn secret(text: &str) -> TokenSecret {
    TokenSecret::new(text.to_owned())
}

/// The kind and the message of what has to be an error.
#[track_caller]
pub(crate) fn failure<T>(result: Result<T>) -> (ErrorKind, String) {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => (error.kind(), error.message().to_owned()),
    }
}
