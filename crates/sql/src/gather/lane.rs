//! Who executes: a call for itself, or a task for all that wait.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use super::{Batch, Shared};

/// The lanes that are held.
pub(super) struct Lanes {
    most: usize,
    /// The longest that one is held by who makes headway.
    longest: Duration,
    next: u64,
    held: Vec<(u64, Instant)>,
}

impl Lanes {
    pub(super) fn new(most: usize, longest: Duration) -> Self {
        Self {
            most: most.max(1),
            longest,
            next: 0,
            held: Vec::new(),
        }
    }

    /// Takes a lane, if one is free or held for too long; gives its number.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        if self.held.len() >= self.most {
            let longest = self.longest;
            let is_stuck =
                |(_, since): &(u64, Instant)| now.saturating_duration_since(*since) > longest;
            let stuck = self.held.iter().position(is_stuck)?;
            self.held.swap_remove(stuck);
        }
        let number = self.next;
        self.next += 1;
        self.held.push((number, now));
        Some(number)
    }

    /// Whether a lane is still its holder's.
    pub(super) fn is_held(&self, number: u64) -> bool {
        self.held.iter().any(|(held, _)| *held == number)
    }

    /// Its holder makes headway; tells whether the lane is still its own.
    pub(super) fn renew(&mut self, number: u64, now: Instant) -> bool {
        let mut held = self.held.iter_mut();
        let found = held.find(|(held, _)| *held == number);
        found.map(|(_, since)| *since = now).is_some()
    }

    /// Gives a lane back; one that was given to another is not freed again.
    pub(super) fn free(&mut self, number: u64) {
        self.held.retain(|(held, _)| *held != number);
    }

    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.held.len()
    }
}

/// One execution's place. Dropped, it passes to what waits.
pub(super) struct Lane<B: Batch> {
    shared: Arc<Shared<B>>,
    number: u64,
}

impl<B: Batch> Lane<B> {
    pub(super) fn new(shared: &Arc<Shared<B>>, number: u64) -> Self {
        Self {
            shared: Arc::clone(shared),
            number,
        }
    }
}

impl<B: Batch> Drop for Lane<B> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if !state.lanes.is_held(self.number) {
            return;
        }
        let Some(first) = state.queue.first() else {
            state.lanes.free(self.number);
            return;
        };
        let runtime = first.runtime.clone();
        drop(state);
        let worker = Worker {
            shared: Arc::clone(&self.shared),
            lane: self.number,
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
    lane: u64,
    is_done: bool,
}

impl<B: Batch> Worker<B> {
    async fn run(mut self) {
        while let Some(batch) = self.shared.next(self.lane) {
            // A panic is told to the callers of its batch, and to no others.
            let work = AssertUnwindSafe(self.shared.answer(batch));
            let _ = work.catch_unwind().await;
        }
        self.is_done = true;
    }
}

impl<B: Batch> Drop for Worker<B> {
    /// Ended with its runtime: it frees its lane and leaves nobody waiting.
    fn drop(&mut self) {
        if !self.is_done {
            self.shared.state().lanes.free(self.lane);
            self.shared.abandon();
        }
    }
}
