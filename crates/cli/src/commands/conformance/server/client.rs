//! A client that can be killed where no gate stands before the server.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep::{Clock, Error, ErrorKind, Registry, Result, StoreUrl, TokenDriver};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, spawn_blocking};

use super::killable::Killable;
use super::{cut_short, fault};

/// How long its threads may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// Threads of its own, on which all is done that its drivers do: with them every connection ends in the
/// middle of what it carries, as with a process.
pub(super) struct Client(Option<Runtime>);

impl Client {
    pub(super) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let problem = "cannot start the thread of a client";
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| fault(ErrorKind::Unavailable, problem, error))
    }

    /// Opens a store whose driver ends with the client.
    pub(super) async fn open(
        &self,
        registry: &Registry,
        url: &StoreUrl,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn TokenDriver>> {
        let Some(runtime) = &self.0 else {
            return Err(Error::new(ErrorKind::Internal, "the client was killed"));
        };
        let (registry, url) = (registry.clone(), url.clone());
        let mut opening = JoinSet::new();
        let open = async move { registry.open(&url, clock).await };
        opening.spawn_on(open, runtime.handle());
        let opened = opening.join_next().await;
        let driver =
            opened.map_or_else(cut_short, |ended| ended.unwrap_or_else(|_| cut_short()))?;
        Ok(Arc::new(Killable::new(driver, runtime.handle().clone())))
    }

    /// Ends it; when this returns none of its connections is left.
    pub(super) async fn kill(mut self) {
        if let Some(runtime) = self.0.take() {
            // A thread that panicked has ended too.
            let _ = spawn_blocking(move || runtime.shutdown_timeout(ENDING)).await;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
