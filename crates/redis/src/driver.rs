//! The token contract on Redis and Valkey.

mod bulk;
mod core;
mod creation;
mod feed;
mod fence;
mod filter;
mod flush;
mod gather;
mod gathered;
mod listing;
mod merge;
mod places;
mod rotation;
mod scatter;
mod settled;
mod single;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{
    Clock, Durability, Error, Flushed, Limits, Page, PageRequest, Replacement, Result,
    RevokedToken, Rotation, StoreId, StoreInfo, TokenDriver, TokenFilter, TokenId, TokenRecord,
};

use self::core::{Core, reading};
use self::gathered::Gathers;
use crate::keys::Keys;
use crate::network::Network;
use crate::options::RedisOptions;
use crate::store::{self, Constants};

/// A token driver on a namespace of Redis or Valkey: one server, one that sentinels watch over, or a
/// Cluster.
///
/// # Behavior
///
/// - Concurrent calls share connections, on which none waits for another's answer.
/// - A call takes the configured timeout at most; those that touch many tokens take it for each of
///   their steps, of which there are as many as the tokens at hand need.
/// - A rotation waits while a bulk revocation that concerns its successor is about to end, and is
///   `Unavailable` where that takes longer than the timeout: at most a minute, after a process died there.
/// - On a Cluster a bulk revocation waits for rotations whose successors it met, at most as long as a
///   call takes, so that its answer has those alone that were tokens.
/// - Needs a tokio runtime with its I/O and time drivers.
/// - `Debug` shows no credentials and no records.
pub struct RedisDriver {
    core: Arc<Core>,
    store: StoreId,
    namespace: String,
    durability: Durability,
    limits: Limits,
}

impl fmt::Debug for RedisDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDriver")
            .field("namespace", &self.namespace)
            .field("shards", &self.core.keys.len())
            .finish_non_exhaustive()
    }
}

impl RedisDriver {
    /// A driver on a store that is there.
    pub(crate) fn new(
        network: Network,
        constants: Constants,
        options: &RedisOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let keys = Keys::new(&options.namespace, constants.shards);
        Self {
            core: Arc::new(Core {
                network,
                keys,
                clock,
                timeout: options.timeout,
                gathers: Gathers::default(),
            }),
            store: constants.id,
            namespace: options.namespace.clone(),
            durability: options.durability,
            limits: options.limits,
        }
    }

    async fn describe(&self) -> Result<StoreInfo> {
        let (core, call) = (&self.core, self.core.call());
        let key = &core.keys.meta;
        let (found, constants) = futures::try_join!(
            core.network.inspect(&call, &*core.clock),
            store::look(&core.network, &call, key),
        )
        .map_err(reading)?;
        constants
            .ok_or_else(|| Error::corrupt(&key.name, "is gone, and with it which store this is"))?
            .expect(self.store, core.keys.len(), key)?;
        Ok(StoreInfo {
            driver: NAME,
            location: found.location,
            namespace: self.namespace.clone(),
            version: found.version,
            durability: self.durability,
            // No feed gives a revocation after one that began when it had ended.
            revocation_lag: Duration::ZERO,
            warnings: found.warnings,
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TokenDriver for RedisDriver {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        let named = in_call("create");
        record.check_new(&self.limits).map_err(&named)?;
        single::create(&self.core, &record).await.map_err(named)
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        single::get(&self.core, id).await.map_err(in_call("get"))
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        let call = single::delete(&self.core, id);
        call.await.map_err(in_call("delete"))
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let call = bulk::delete_tokens(&self.core, filter);
        call.await.map_err(in_call("delete_tokens"))
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        let call = listing::list(&self.core, self.store, filter, page);
        call.await.map_err(in_call("list"))
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let call = feed::list_revoked(&self.core, self.store, page);
        call.await.map_err(in_call("list_revoked"))
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let named = in_call("replace");
        self.limits.check_data(&change.data).map_err(&named)?;
        let call = single::replace(&self.core, &change, expected_version);
        call.await.map_err(named)
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let call = rotation::rotate(&self.core, &self.limits, old, &successor);
        call.await.map_err(in_call("rotate"))
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        let call = flush::flush_expired(&self.core, limit);
        call.await.map_err(in_call("flush_expired"))
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        let named = in_call("create_many");
        let call = creation::create_many(&self.core, &self.limits, records);
        let answers = call.await.map_err(&named)?;
        Ok(answers
            .into_iter()
            .map(|answer| answer.map_err(&named))
            .collect())
    }

    async fn check(&self) -> Result<StoreInfo> {
        self.describe().await.map_err(in_call("check"))
    }
}

/// The driver's name in errors and reports.
pub(crate) const NAME: &str = "redis";

pub(crate) fn in_call(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.with_driver(NAME).with_operation(operation)
}
