//! The connections of a store.
//!
//! Not sqlx's pool: that one asks the server once more whenever a connection comes back, and hands
//! it back through a task.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use tokenkeep_core::{Error, ErrorKind, Result};

use crate::call::Call;
use crate::failure::{Cause, Failure, Outcome};

/// How long a connection may rest before it has to prove itself before its next use.
const REST: Duration = Duration::from_secs(1);

/// How long such a proof may take.
const PROOF: Duration = Duration::from_secs(1);

/// Makes connections to one namespace, ready for its statements.
#[async_trait]
pub(crate) trait Connector: Send + Sync + 'static {
    type Connection: Send + 'static;

    /// Opens a connection and gives it its session settings.
    async fn connect(&self) -> Outcome<Self::Connection>;

    /// Proves that the server still answers on a connection that has rested. No transaction is open
    /// on it: what a call left half done was closed.
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
        let manager = Manager {
            connector,
            broken: Mutex::default(),
        };
        let config = managed::PoolConfig {
            max_size: size.max(1) as usize,
            // The one used last is the likeliest to be alive and warm.
            queue_mode: QueueMode::Lifo,
            ..managed::PoolConfig::default()
        };
        managed::Pool::builder(manager)
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
        Ok(Link(Some(object)))
    }
}

/// A connection, and when its last call ended.
pub(crate) struct Slot<C> {
    connection: C,
    used: Instant,
}

struct Manager<C> {
    connector: Arc<C>,
    /// When a connection was last found broken: those used before then have to prove themselves.
    broken: Mutex<Option<Instant>>,
}

impl<C: Connector> Manager<C> {
    fn broke(&self) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_trusted(&self, slot: &Slot<C::Connection>) -> bool {
        let broken = *self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        slot.used.elapsed() < REST && broken.is_none_or(|broken| broken < slot.used)
    }
}

impl<C: Connector> managed::Manager for Manager<C> {
    type Type = Slot<C::Connection>;
    type Error = Failure;

    async fn create(&self) -> Outcome<Self::Type> {
        // No statement was sent on it, so nothing can have been applied.
        let connection = self.connector.connect().await.map_err(|failure| {
            self.broke();
            match failure.cause {
                Cause::Refused(_) => failure,
                Cause::Again | Cause::Lost => {
                    Failure::refused(ErrorKind::Unavailable, failure.message)
                }
            }
        })?;
        Ok(Slot {
            connection,
            used: Instant::now(),
        })
    }

    async fn recycle(&self, slot: &mut Self::Type, _: &Metrics) -> RecycleResult<Failure> {
        if self.is_trusted(slot) {
            return Ok(());
        }
        let reset = self.connector.reset(&mut slot.connection);
        let outcome = tokio::time::timeout(PROOF, reset).await;
        if let Ok(Ok(())) = outcome {
            return Ok(());
        }
        self.broke();
        Err(RecycleError::message("the connection is broken"))
    }
}

/// A connection that one call uses.
///
/// [`done`](Self::done) or [`end`](Self::end) gives it back. Dropped without, it is closed: a call that
/// was cut off may have left a transaction open, whose locks nobody else must wait for, or an answer
/// on its way that the next call would take for its own.
pub(crate) struct Link<C: Connector>(Option<Object<Manager<C>>>);

impl<C: Connector> Link<C> {
    /// The connection.
    pub(crate) fn connection(&mut self) -> Outcome<&mut C::Connection> {
        let gone = || Failure::refused(ErrorKind::Internal, "the connection was given back");
        let slot = self.0.as_mut().ok_or_else(gone)?;
        Ok(&mut slot.connection)
    }

    /// The call ran to its end, whatever its answer, and no transaction is open.
    pub(crate) fn done(mut self) {
        if let Some(mut object) = self.0.take() {
            object.used = Instant::now();
        }
    }

    /// As [`done`](Self::done) for a single statement, unless the connection broke over it.
    pub(crate) fn end<T>(self, outcome: Outcome<T>) -> Outcome<T> {
        match &outcome {
            Err(failure) if failure.cause == Cause::Lost => drop(self),
            _ => self.done(),
        }
        outcome
    }
}

impl<C: Connector> Drop for Link<C> {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}
