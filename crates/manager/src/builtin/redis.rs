//! Redis and Valkey: one server, Sentinel, Cluster.

mod options;
mod places;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Clock, Result, StoreFactory, StoreUrl, TokenDriver};

/// Opens namespaces of Redis and Valkey servers, whose URLs have this form.
pub(super) struct RedisFactory(pub(super) Form);

/// What differs between the schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `redis://host/0`
    Plain,
    /// `rediss://host/0`
    Encrypted,
    /// `redis+unix:///path?database=0`
    Socket,
    /// `redis+sentinel://host,host/master/0`
    Sentinel,
    /// `redis+cluster://host,host`
    Cluster,
}

#[async_trait]
impl StoreFactory for RedisFactory {
    async fn open(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
        let options = options::read(url, self.0).await?;
        Ok(Arc::new(tokenkeep_redis::open(&options, clock).await?))
    }

    async fn remove(&self, url: &StoreUrl) -> Result<()> {
        tokenkeep_redis::drop_namespace(&options::read(url, self.0).await?).await
    }
}

#[cfg(test)]
mod tests;
