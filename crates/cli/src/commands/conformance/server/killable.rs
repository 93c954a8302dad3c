//! A driver whose calls are made on the threads of its client.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep::ErrorKind::{Indeterminate, Unavailable};
use tokenkeep::{
    Error, ErrorKind, Flushed, Page, PageRequest, Replacement, Result, RevokedToken, Rotation,
    StoreInfo, TokenDriver, TokenFilter, TokenId, TokenRecord,
};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// A call that is dropped is dropped there; one whose client ends is in doubt.
pub(super) struct Killable {
    driver: Arc<dyn TokenDriver>,
    client: Handle,
}

impl Killable {
    pub(super) fn new(driver: Arc<dyn TokenDriver>, client: Handle) -> Self {
        Self { driver, client }
    }

    async fn call<T, F>(
        &self,
        in_doubt: ErrorKind,
        call: impl FnOnce(Arc<dyn TokenDriver>) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mut calls = JoinSet::new();
        calls.spawn_on(call(Arc::clone(&self.driver)), &self.client);
        match calls.join_next().await {
            Some(Ok(answer)) => answer,
            _ => Err(Error::new(in_doubt, "the client was killed")),
        }
    }
}

impl fmt::Debug for Killable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.driver.fmt(f)
    }
}

#[async_trait]
impl TokenDriver for Killable {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.create(record).await };
        self.call(Indeterminate, call).await
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        let id = *id;
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.get(&id).await };
        self.call(Unavailable, call).await
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        let id = *id;
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.delete(&id).await };
        self.call(Indeterminate, call).await
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let filter = filter.clone();
        let call =
            |driver: Arc<dyn TokenDriver>| async move { driver.delete_tokens(&filter).await };
        self.call(Indeterminate, call).await
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        let (filter, page) = (filter.clone(), page.clone());
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.list(&filter, &page).await };
        self.call(Unavailable, call).await
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let page = page.clone();
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.list_revoked(&page).await };
        self.call(Unavailable, call).await
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let call = |driver: Arc<dyn TokenDriver>| async move {
            driver.replace(change, expected_version).await
        };
        self.call(Indeterminate, call).await
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let old = *old;
        let call =
            |driver: Arc<dyn TokenDriver>| async move { driver.rotate(&old, successor).await };
        self.call(Indeterminate, call).await
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.flush_expired(limit).await };
        self.call(Indeterminate, call).await
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.create_many(records).await };
        self.call(Indeterminate, call).await
    }

    async fn check(&self) -> Result<StoreInfo> {
        let call = |driver: Arc<dyn TokenDriver>| async move { driver.check().await };
        self.call(Unavailable, call).await
    }
}
