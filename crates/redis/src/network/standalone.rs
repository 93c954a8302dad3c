//! One server.

use std::sync::Arc;

use tokenkeep_backend::{Call, Outcome};

use super::job::Job;
use super::node::Node;
use super::replies::{self, Answer};

/// One server, whatever it is.
#[derive(Debug)]
pub(super) struct Standalone {
    node: Arc<Node>,
}

impl Standalone {
    pub(super) fn new(node: Node) -> Self {
        let node = Arc::new(node);
        Self { node }
    }

    pub(super) const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(super) async fn send(&self, call: &Call, job: Job<'_>) -> Outcome<Answer> {
        let answer = self.node.send(call, job.awaited_as(), job.command).await?;
        if let Err(error) = &answer
            && replies::is_no_master(error)
        {
            // Its name may stand for another server by now.
            self.node.forget();
        }
        Ok(answer)
    }
}
