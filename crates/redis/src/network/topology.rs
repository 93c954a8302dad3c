//! The kinds of servers that a store can lie on.

use std::sync::Arc;

use futures::FutureExt;
use tokenkeep_backend::{Call, Outcome};

use super::Slot;
use super::cluster::Cluster;
use super::job::Job;
use super::node::Node;
use super::replies::Answer;
use super::sentinel::Sentinel;
use super::standalone::Standalone;

/// The kinds of servers that a store can lie on.
#[derive(Debug)]
pub(super) enum Topology {
    Standalone(Standalone),
    Sentinel(Sentinel),
    Cluster(Cluster),
}

impl Topology {
    /// One attempt, on the server that the job belongs to.
    pub(super) async fn send(&self, call: &Call, job: Job<'_>) -> Outcome<Answer> {
        match self {
            Self::Standalone(server) => server.send(call, job).await,
            // What is rare for one server would make its every call larger.
            Self::Sentinel(servers) => servers.send(call, job).boxed().await,
            Self::Cluster(servers) => servers.send(call, job).boxed().await,
        }
    }

    /// The server that a job of this slot goes to, if it is known.
    pub(super) fn known(&self, slot: Slot) -> Option<Arc<Node>> {
        match self {
            Self::Standalone(server) => Some(Arc::clone(server.node())),
            Self::Sentinel(servers) => servers.known(),
            Self::Cluster(servers) => servers.known(slot),
        }
    }

    /// Every master as it is known, each once; where none is, or one is in doubt, it is asked for.
    pub(super) async fn known_masters(&self) -> Outcome<Vec<Arc<Node>>> {
        match self {
            Self::Cluster(servers) => servers.known_masters().await,
            _ => self.masters().await,
        }
    }

    /// Every master of now, each once.
    pub(super) async fn masters(&self) -> Outcome<Vec<Arc<Node>>> {
        match self {
            Self::Standalone(server) => Ok(vec![Arc::clone(server.node())]),
            Self::Sentinel(servers) => Ok(vec![servers.master().await?]),
            Self::Cluster(servers) => servers.masters().await,
        }
    }
}
