//! The caller's side of a call that waits.

use std::sync::Arc;

use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::{BUSY, Batch, Shared};

/// A call in the queue. Dropped, it is withdrawn.
pub(super) struct Waiter<B: Batch> {
    shared: Arc<Shared<B>>,
    ticket: u64,
    answer: oneshot::Receiver<Outcome<B::Answer>>,
}

impl<B: Batch> Waiter<B> {
    pub(super) fn new(
        shared: &Arc<Shared<B>>,
        ticket: u64,
        answer: oneshot::Receiver<Outcome<B::Answer>>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            ticket,
            answer,
        }
    }

    /// Its answer, within the bound of the call.
    pub(super) async fn answer(mut self, call: &Call) -> Outcome<B::Answer> {
        match timeout_at(call.deadline().into(), &mut self.answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Failure::lost("the work on a batch was cut short")),
            Err(_) if self.withdraw() => Err(Failure::refused(ErrorKind::Unavailable, BUSY)),
            Err(_) => Err(Failure::lost("the database did not answer in time")),
        }
    }

    fn withdraw(&self) -> bool {
        self.shared.state().queue.withdraw(self.ticket)
    }
}

impl<B: Batch> Drop for Waiter<B> {
    fn drop(&mut self) {
        self.withdraw();
    }
}
