//! The calls that wait, in order of arrival.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{Batch, MAX_BATCH_BYTES};

/// A call that waits.
pub(super) struct Waiting<B: Batch> {
    pub(super) request: B::Request,
    pub(super) answer: oneshot::Sender<Outcome<B::Answer>>,
    /// When its caller gives up.
    pub(super) deadline: Instant,
    /// Where the call waits.
    pub(super) runtime: Option<Handle>,
}

impl<B: Batch> Waiting<B> {
    /// Nothing was or will be done for it.
    pub(super) fn refuse(self, message: impl Into<Arc<str>>) {
        // A caller that is gone needs no answer.
        let _ = self
            .answer
            .send(Err(Failure::refused(ErrorKind::Unavailable, message)));
    }
}

/// The calls that wait, each with its ticket.
pub(super) struct Queue<B: Batch> {
    next_ticket: u64,
    /// In order of their tickets.
    waiting: VecDeque<(u64, Waiting<B>)>,
}

/// What was taken from a queue.
pub(super) struct Taken<B: Batch> {
    pub(super) batch: Vec<Waiting<B>>,
    /// Those with too little time left to be begun.
    pub(super) late: Vec<Waiting<B>>,
}

impl<B: Batch> Queue<B> {
    pub(super) const fn new() -> Self {
        Self {
            next_ticket: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn first(&self) -> Option<&Waiting<B>> {
        self.waiting.front().map(|(_, waiting)| waiting)
    }

    /// Puts a call at the end; gives its ticket.
    pub(super) fn push(&mut self, waiting: Waiting<B>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back((ticket, waiting));
        ticket
    }

    /// Takes a call back; tells whether it still waited.
    pub(super) fn withdraw(&mut self, ticket: u64) -> bool {
        let found = self
            .waiting
            .binary_search_by_key(&ticket, |(ticket, _)| *ticket);
        found.is_ok_and(|place| self.waiting.remove(place).is_some())
    }

    pub(super) fn take_all(&mut self) -> Vec<Waiting<B>> {
        let all = self.waiting.drain(..);
        all.map(|(_, waiting)| waiting).collect()
    }

    /// Takes the next batch, of so many calls at most, from the front.
    ///
    /// A call whose caller gives up before `least` is taken out. One about a token that the batch has
    /// already is passed over and keeps its place.
    pub(super) fn take(&mut self, batch: &B, most: usize, least: Instant) -> Taken<B> {
        let mut taken = Taken {
            batch: Vec::new(),
            late: Vec::new(),
        };
        let mut passed_over = Vec::new();
        let mut keys = HashSet::new();
        let mut bytes = 0;
        // So many waiting calls about one token cost no more than a full batch.
        while taken.batch.len() < most && passed_over.len() < most {
            let Some((ticket, waiting)) = self.waiting.pop_front() else {
                break;
            };
            if waiting.deadline < least {
                taken.late.push(waiting);
                continue;
            }
            let weight = batch.weight(&waiting.request);
            if !taken.batch.is_empty() && bytes + weight > MAX_BATCH_BYTES {
                self.waiting.push_front((ticket, waiting));
                break;
            }
            let key = batch.key(&waiting.request);
            if key.is_some_and(|key| !keys.insert(key)) {
                passed_over.push((ticket, waiting));
            } else {
                bytes += weight;
                taken.batch.push(waiting);
            }
        }
        for waiting in passed_over.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        taken
    }
}
