//! The backends that are compiled in: the one place with feature conditions.

#[cfg(any(feature = "mysql", feature = "postgres"))]
mod database;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
mod server;
#[cfg(feature = "sled")]
mod sled;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::sync::Arc;
#[cfg(any(
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
))]
use std::time::Duration;

#[cfg(feature = "redis")]
use self::redis::{Form, RedisFactory};
use crate::{Clock, Limits, MemoryDriver, Result, StoreFactory, StoreUrl, TokenDriver, UrlOptions};

/// Every compiled-in backend with its scheme.
pub(crate) fn factories() -> Vec<(&'static str, Arc<dyn StoreFactory>)> {
    let factories: &[(&'static str, Arc<dyn StoreFactory>)] = &[
        ("memory", Arc::new(open_memory)),
        #[cfg(feature = "mysql")]
        ("mariadb", Arc::new(mysql::MysqlFactory)),
        #[cfg(feature = "mysql")]
        ("mysql", Arc::new(mysql::MysqlFactory)),
        #[cfg(feature = "postgres")]
        ("postgres", Arc::new(postgres::PostgresFactory)),
        #[cfg(feature = "postgres")]
        ("postgresql", Arc::new(postgres::PostgresFactory)),
        #[cfg(feature = "redis")]
        ("redis", Arc::new(RedisFactory(Form::Plain))),
        #[cfg(feature = "redis")]
        ("redis+cluster", Arc::new(RedisFactory(Form::Cluster))),
        #[cfg(feature = "redis")]
        ("redis+sentinel", Arc::new(RedisFactory(Form::Sentinel))),
        #[cfg(feature = "redis")]
        ("redis+unix", Arc::new(RedisFactory(Form::Socket))),
        #[cfg(feature = "redis")]
        ("rediss", Arc::new(RedisFactory(Form::Encrypted))),
        #[cfg(feature = "redis")]
        ("valkey", Arc::new(RedisFactory(Form::Plain))),
        #[cfg(feature = "redis")]
        ("valkeys", Arc::new(RedisFactory(Form::Encrypted))),
        #[cfg(feature = "sled")]
        ("sled", Arc::new(sled::SledFactory::default())),
        #[cfg(feature = "sqlite")]
        ("sqlite", Arc::new(sqlite::SqliteFactory)),
    ];
    factories.to_vec()
}

async fn open_memory(url: StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
    if !url.rest().is_empty() {
        return Err(url.fault("takes no path"));
    }
    let mut options = url.options();
    let limits = take_limits(&mut options)?;
    options.finish()?;
    Ok(Arc::new(MemoryDriver::with_limits(clock, limits)))
}

/// The limits that every backend takes from its URL.
fn take_limits(options: &mut UrlOptions) -> Result<Limits> {
    let mut limits = Limits::default();
    if let Some(bytes) = options.integer("max_data_len")? {
        limits.max_data_len = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    Ok(limits)
}

#[cfg(any(
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
))]
/// Takes a span of time that must not be zero.
fn take_span(given: &mut UrlOptions, name: &str) -> Result<Option<Duration>> {
    match given.duration(name)? {
        Some(Duration::ZERO) => Err(given.fault(format_args!("has a {name} of zero"))),
        span => Ok(span),
    }
}
