//! Who executes: a call for itself, or a task for all that wait.

use std::sync::Arc;

use super::{Batch, Shared};

/// One execution's place. Dropped, it passes to what waits.
pub(super) struct Lane<B: Batch>(Arc<Shared<B>>);

impl<B: Batch> Lane<B> {
    /// The caller has counted it as in flight.
    pub(super) fn of(shared: &Arc<Shared<B>>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl<B: Batch> Drop for Lane<B> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let Some(first) = state.queue.front() else {
            state.in_flight -= 1;
            return;
        };
        let runtime = first.runtime.clone();
        drop(state);
        let worker = Worker {
            shared: Arc::clone(&self.0),
            is_done: false,
        };
        if let Some(runtime) = runtime {
            runtime.spawn(worker.run());
        }
    }
}

/// Executes what waits until nothing does.
struct Worker<B: Batch> {
    shared: Arc<Shared<B>>,
    is_done: bool,
}

impl<B: Batch> Worker<B> {
    async fn run(mut self) {
        while let Some(taken) = self.shared.next() {
            self.shared.execute(taken).await;
        }
        self.is_done = true;
    }
}

impl<B: Batch> Drop for Worker<B> {
    /// Ended early, by a panic or with its runtime: it frees its lane and leaves nobody waiting.
    fn drop(&mut self) {
        if !self.is_done {
            self.shared.state().in_flight -= 1;
            self.shared.abandon();
        }
    }
}
