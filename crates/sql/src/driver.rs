//! The token contract on any of the databases.

mod bulk;
mod change;
mod core;
mod creation;
mod pages;
mod single;
mod successors;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_backend::read;
use tokenkeep_core::{
    Clock, Durability, Error, Flushed, Limits, Page, PageRequest, Replacement, Result,
    RevokedToken, Rotation, StoreId, StoreInfo, TokenDriver, TokenFilter, TokenId, TokenRecord,
};

use self::core::{Core, reading, writing};
use self::single::{Creates, Deletes, Gets};
use crate::dialect::{Condition, Dialect};
use crate::gather::{Bounds, Gather};
use crate::options::SqlOptions;

/// A token driver on a namespace of a PostgreSQL, MySQL or MariaDB server, or on an SQLite file.
///
/// # Behavior
///
/// - Concurrent `create`, `get` and `delete` calls are gathered into one statement each; a lone call
///   goes to the database at once.
/// - A call takes the configured timeout at most; the bulk calls take it for each of their steps, of
///   which there are as many as the tokens at hand need.
/// - Needs a tokio runtime with its I/O and time drivers.
/// - `Debug` shows no credentials and no records.
#[derive(Debug)]
pub struct SqlDriver {
    core: Core,
    store: StoreId,
    place: Placement,
    limits: Limits,
    durability: Durability,
    manner: Manner,
    creates: Gather<Creates>,
    gets: Gather<Gets>,
    deletes: Gather<Deletes>,
}

/// Where a store is, for reports. Holds no credentials.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    pub(crate) location: String,
    pub(crate) namespace: String,
}

/// How a database likes its work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How many gets may be on their way before further ones are gathered.
    pub(crate) read_lanes: usize,
    /// How many creates, and how many deletes, may be on their way before further ones are gathered.
    pub(crate) write_lanes: usize,
    /// How many expired records one step of a flush removes.
    pub(crate) flush_step: u32,
    /// How many matching tokens one step of a bulk revocation looks at.
    pub(crate) revoke_step: usize,
}

impl Manner {
    /// What suits a server.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) const SERVER: Self = Self {
        read_lanes: 2,
        write_lanes: 2,
        flush_step: 1_000,
        revoke_step: 1_000,
    };
}

impl SqlDriver {
    /// A driver on a namespace whose schema is the newest.
    pub(crate) async fn start(
        dialect: Arc<dyn Dialect>,
        place: Placement,
        manner: Manner,
        options: &SqlOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let core = Core {
            dialect,
            clock,
            timeout: options.timeout,
        };
        let condition = condition(&core).await.map_err(in_call(&core, "open"))?;
        let bounds = |lanes| Bounds {
            lanes,
            requests: core.dialect.max_batch(),
            timeout: options.timeout,
        };
        Ok(Self {
            creates: Gather::new(Creates(core.clone()), bounds(manner.write_lanes)),
            gets: Gather::new(Gets(core.clone()), bounds(manner.read_lanes)),
            deletes: Gather::new(Deletes(core.clone()), bounds(manner.write_lanes)),
            store: condition.store,
            place,
            limits: options.limits,
            durability: options.durability,
            manner,
            core,
        })
    }

    async fn create_one(&self, record: TokenRecord) -> Result<()> {
        record.check_new(&self.limits)?;
        match self.creates.call(record).await.map_err(writing)? {
            true => Ok(()),
            false => Err(Error::already_exists()),
        }
    }

    async fn get_one(&self, id: &TokenId) -> Result<TokenRecord> {
        let found = self.gets.call(*id).await.map_err(reading)?;
        found
            .filter(|record| record.is_active(self.core.now()))
            .ok_or_else(Error::not_found)
    }

    async fn delete_one(&self, id: &TokenId) -> Result<()> {
        match self.deletes.call(*id).await.map_err(writing)? {
            true => Ok(()),
            false => Err(Error::not_found()),
        }
    }

    async fn describe(&self) -> Result<StoreInfo> {
        let condition = condition(&self.core).await?;
        Ok(StoreInfo {
            driver: self.core.dialect.name(),
            location: self.place.location.clone(),
            namespace: self.place.namespace.clone(),
            version: condition.version,
            durability: self.durability,
            // The store's row is locked to the end of each revocation.
            revocation_lag: Duration::ZERO,
            warnings: condition.warnings,
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TokenDriver for SqlDriver {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        let call = self.create_one(record);
        call.await.map_err(in_call(&self.core, "create"))
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        let call = self.get_one(id);
        call.await.map_err(in_call(&self.core, "get"))
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        let call = self.delete_one(id);
        call.await.map_err(in_call(&self.core, "delete"))
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let named = in_call(&self.core, "delete_tokens");
        filter.check().map_err(&named)?;
        let call = bulk::delete_tokens(&self.core, filter, self.manner.revoke_step);
        call.await.map_err(named)
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        let named = in_call(&self.core, "list");
        filter.check().map_err(&named)?;
        let call = pages::list(&self.core, self.store, filter, page);
        call.await.map_err(named)
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let call = pages::list_revoked(&self.core, self.store, page);
        call.await.map_err(in_call(&self.core, "list_revoked"))
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let named = in_call(&self.core, "replace");
        self.limits.check_data(&change.data).map_err(&named)?;
        let call = change::replace(&self.core, change, expected_version);
        call.await.map_err(named)
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let call = change::rotate(&self.core, &self.limits, old, &successor);
        call.await.map_err(in_call(&self.core, "rotate"))
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        let call = bulk::flush_expired(&self.core, limit, self.manner.flush_step);
        call.await.map_err(in_call(&self.core, "flush_expired"))
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        let named = in_call(&self.core, "create_many");
        let call = creation::create_many(&self.core, &self.limits, records);
        let answers = call.await.map_err(&named)?;
        Ok(answers
            .into_iter()
            .map(|answer| answer.map_err(&named))
            .collect())
    }

    async fn check(&self) -> Result<StoreInfo> {
        let call = self.describe();
        call.await.map_err(in_call(&self.core, "check"))
    }
}

async fn condition(core: &Core) -> Result<Condition> {
    let call = core.call();
    read(&call, || core.dialect.check(&call))
        .await
        .map_err(reading)
}

fn in_call(core: &Core, operation: &'static str) -> impl Fn(Error) -> Error + use<> {
    let driver = core.dialect.name();
    move |error| error.with_driver(driver).with_operation(operation)
}
