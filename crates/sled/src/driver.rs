//! The token contract on one namespace of a store.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{
    Clock, Error, ErrorKind, Flushed, Page, PageRequest, Replacement, Result, RevokedToken,
    Rotation, StoreInfo, Timestamp, TokenDriver, TokenFilter, TokenId, TokenRecord,
};
use tokenkeep_layout::{Header, Key, StoreHeader, Stored};
use tokio::time::timeout_at;

use crate::error::DRIVER;
use crate::folder;
use crate::job::{Caller, Job, Long, Reply, Short};
use crate::namespace::Namespace;
use crate::options::SledOptions;
use crate::scan;
use crate::store::{Shared, SledStore, unavailable};

/// Beyond this many bytes sled's memory and the time to open grow badly.
const RECOMMENDED_BYTES: u64 = 1024 * 1024 * 1024;

/// A token driver on one namespace of a [`SledStore`]. Clones share it.
///
/// # Behavior
///
/// - Writes go to the store's one writer thread, scans to the blocking threads of the runtime; `get`
///   and `check` read one or two pages where they are called.
/// - A dropped future changes nothing of what it asked for: that is done wholly, or was not begun.
/// - Needs a tokio runtime with its time driver.
#[derive(Clone, Debug)]
pub struct SledDriver {
    // Dropped before the store, whose last handle closes the database.
    caller: Caller,
    store: Arc<Shared>,
}

impl SledDriver {
    /// Opens the folder and in it the namespace that the options name.
    ///
    /// # Errors
    ///
    /// As [`SledStore::open`] and [`SledStore::driver`].
    ///
    /// # Cancel safety
    ///
    /// As these.
    pub async fn open(options: SledOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let namespace = options.namespace.clone();
        let store = SledStore::open(options, clock).await?;
        store.driver(&namespace).await
    }

    pub(crate) const fn new(caller: Caller, store: Arc<Shared>) -> Self {
        Self { caller, store }
    }

    async fn short<T: Send + 'static>(&self, call: impl FnOnce(Reply<T>) -> Short) -> Result<T> {
        let caller = self.caller.clone();
        let places = &self.store.short_places;
        self.store
            .submit(places, |reply| Job::Short(caller, call(reply)))
            .await
    }

    async fn long<T: Send + 'static>(&self, call: impl FnOnce(Reply<T>) -> Long) -> Result<T> {
        let caller = self.caller.clone();
        let places = &self.store.long_places;
        self.store
            .submit(places, |reply| Job::Long(caller, call(reply)))
            .await
    }

    /// Reads many entries, away from the async threads.
    async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Namespace, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store.failure.check()?;
        let deadline = self.store.deadline();
        let place = timeout_at(deadline, Arc::clone(&self.store.scans).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(unavailable("too many listings are being read"));
        };
        let driver = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _place = place;
            read(&driver.caller.namespace, driver.caller.clock.now())
        });
        match timeout_at(deadline, reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => {
                Err(Error::new(ErrorKind::Internal, "a scan failed").with_source(error))
            }
            Err(_) => Err(unavailable("the scan did not end in time")),
        }
    }

    fn find(&self, id: &TokenId) -> Result<TokenRecord> {
        self.store.failure.check()?;
        let value = self.caller.namespace.record(id)?;
        let value = value.ok_or_else(Error::not_found)?;
        let header = Header::decode(id, &value)?;
        if !header.is_active(self.caller.clock.now()) {
            return Err(Error::not_found());
        }
        Stored::decode_body(id, &header, &value).map(Stored::into_record)
    }

    fn describe(&self) -> Result<StoreInfo> {
        self.store.failure.check()?;
        let value = self.caller.namespace.read(&Key::Store.encode())?;
        let value = value.ok_or_else(|| Error::corrupt("entry 6d73", "is missing"))?;
        StoreHeader::decode(&value)?;
        let options = &self.store.options;
        let size = folder::size(options.path())?;
        let mut warnings = Vec::new();
        if size > RECOMMENDED_BYTES {
            warnings.push(format!(
                "the store has {} MiB; beyond {} MiB its memory and the time to open it grow badly: \
                 flush expired tokens, or move to another backend",
                size >> 20,
                RECOMMENDED_BYTES >> 20
            ));
        }
        Ok(StoreInfo {
            driver: DRIVER,
            location: options.path().display().to_string(),
            namespace: self.caller.namespace.name().to_owned(),
            version: "sled 0.34".to_owned(),
            durability: options.durability.into(),
            revocation_lag: Duration::ZERO,
            warnings,
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TokenDriver for SledDriver {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        let call = self.short(|reply| Short::Create(record, reply));
        call.await.map_err(in_call("create"))
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        self.find(id).map_err(in_call("get"))
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        let call = self.short(|reply| Short::Delete(*id, reply));
        call.await.map_err(in_call("delete"))
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        filter.check().map_err(in_call("delete_tokens"))?;
        let call = self.long(|reply| Long::DeleteTokens(filter.clone(), reply));
        call.await.map_err(in_call("delete_tokens"))
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        let (filter, page) = (filter.clone(), page.clone());
        let call = self.scan(move |namespace, now| scan::list(namespace, &filter, &page, now));
        call.await.map_err(in_call("list"))
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let page = page.clone();
        let call = self.scan(move |namespace, now| scan::list_revoked(namespace, &page, now));
        call.await.map_err(in_call("list_revoked"))
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let call = self.short(|reply| Short::Replace(change, expected_version, reply));
        call.await.map_err(in_call("replace"))
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let call = self.short(|reply| Short::Rotate(*old, successor, reply));
        call.await.map_err(in_call("rotate"))
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        let call = self.long(|reply| Long::FlushExpired(limit, reply));
        call.await.map_err(in_call("flush_expired"))
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        let call = self.long(|reply| Long::CreateMany(records, reply));
        call.await.map_err(in_call("create_many"))
    }

    async fn check(&self) -> Result<StoreInfo> {
        self.describe().map_err(in_call("check"))
    }
}

fn in_call(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.with_driver(DRIVER).with_operation(operation)
}
