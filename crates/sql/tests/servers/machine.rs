//! The server of a case, and what may be done to it.

use std::sync::Arc;

use tokenkeep_core::{Error, ErrorKind, Result};
use tokenkeep_testkit::{self as testkit, Server};

/// A server that all cases use, or that one has for itself.
#[derive(Clone)]
pub(crate) enum Machine {
    Shared(&'static Server),
    Own(Arc<Server>),
}

impl Machine {
    pub(crate) fn get(&self) -> &Server {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }

    /// Does to a server what other cases must not feel.
    pub(crate) async fn disturb(
        &self,
        act: impl FnOnce(&Server) -> testkit::Result<()> + Send + 'static,
    ) -> Result<()> {
        let Self::Own(server) = self else {
            let problem = "the case disturbs a server that others use";
            return Err(Error::new(ErrorKind::Internal, problem));
        };
        let server = Arc::clone(server);
        blocking(move || act(&server)).await
    }

    pub(crate) async fn sql(&self, text: String) -> Result<String> {
        let server = self.clone();
        blocking(move || server.get().sql(&text)).await
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> testkit::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |problem: String| Error::new(ErrorKind::Internal, problem);
    tokio::task::spawn_blocking(act)
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}
