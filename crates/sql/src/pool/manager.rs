//! How connections are made, and which are trusted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use tokenkeep_backend::{Cause, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::runtime::Handle;

use super::Connector;

/// How long a connection may rest before it has to prove itself before its next use.
const REST: Duration = Duration::from_secs(1);

/// How long such a proof may take.
pub(super) const PROOF: Duration = Duration::from_secs(1);

/// A connection, and when its last call ended.
pub(super) struct Slot<C> {
    pub(super) connection: C,
    pub(super) used: Instant,
    /// Where it was made.
    pub(super) runtime: Option<Handle>,
}

pub(super) struct Manager<C> {
    pub(super) connector: Arc<C>,
    /// When a connection was last found broken: those used before then have to prove themselves.
    broken: Mutex<Option<Instant>>,
}

impl<C: Connector> Manager<C> {
    pub(super) fn new(connector: Arc<C>) -> Self {
        Self {
            connector,
            broken: Mutex::default(),
        }
    }

    /// A connection was found broken.
    pub(super) fn broke(&self) {
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
            runtime: Handle::try_current().ok(),
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
