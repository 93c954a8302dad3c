//! The connections of a store.
//!
//! Not sqlx's pool: that one asks the server once more whenever a connection comes back, and hands
//! it back through a task.

mod link;
mod manager;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool::managed::{self, PoolError, QueueMode};
use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::{Error, ErrorKind, Result};

pub(crate) use self::link::Link;
use self::manager::Manager;

/// Makes connections to one namespace, ready for its statements.
#[async_trait]
pub(crate) trait Connector: Send + Sync + 'static {
    type Connection: Send + 'static;

    /// Whether the database works on, for a while, for a connection that was closed in the middle of
    /// a call. A server does.
    const WORKS_ON: bool = true;

    /// Opens a connection and gives it its session settings.
    async fn connect(&self) -> Outcome<Self::Connection>;

    /// Proves that the server still answers on a connection: one that has rested, with no
    /// transaction open, or one whose call was cut off and which is closed next. Whatever the server
    /// is at work on for it has ended then.
    async fn reset(&self, connection: &mut Self::Connection) -> Outcome<()>;
}

/// The connections of a store; at most so many, made when they are needed.
pub(crate) struct Pool<C: Connector>(managed::Pool<Manager<C>>);

impl<C: Connector> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("status", &self.0.status())
            .finish()
    }
}

impl<C: Connector> Pool<C> {
    /// No connection is made yet.
    pub(crate) fn new(connector: Arc<C>, size: u32) -> Result<Self> {
        let config = managed::PoolConfig {
            max_size: size.max(1) as usize,
            // The one used last is the likeliest to be alive and warm.
            queue_mode: QueueMode::Lifo,
            ..managed::PoolConfig::default()
        };
        managed::Pool::builder(Manager::new(connector))
            .config(config)
            .build()
            .map(Self)
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "cannot make a pool").with_source(error)
            })
    }

    /// A connection for this call, within its bound. From here on it counts as sent.
    pub(crate) async fn link(&self, call: &Call) -> Outcome<Link<C>> {
        let object = self.0.get().await.map_err(|error| match error {
            PoolError::Backend(failure) => failure,
            _ => Failure::refused(ErrorKind::Unavailable, "no connection to the database"),
        })?;
        call.sent();
        Ok(Link::new(&self.0, object, call))
    }
}

#[cfg(test)]
mod tests;
