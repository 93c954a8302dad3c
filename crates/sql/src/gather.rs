//! Gathers concurrent calls of one kind into one statement, and lets a lone call straight through.

mod lane;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{ErrorKind, TokenId};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use self::lane::Lane;
use crate::call::Call;
use crate::failure::{Cause, Failure, Outcome};

/// Work that can be done for many callers at once.
#[async_trait]
pub(crate) trait Batch: Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// The token that the request is about, if two about the same may not stand in one batch.
    fn key(&self, request: &Self::Request) -> Option<TokenId>;

    /// How many bytes the request brings along.
    fn weight(&self, request: &Self::Request) -> usize;

    /// Answers each request, in the order given, within a bound of its own.
    async fn execute(&self, requests: &[Self::Request]) -> Outcome<Vec<Self::Answer>>;
}

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Executions in flight, beyond which calls are gathered.
    pub(crate) lanes: usize,
    /// Requests in a batch.
    pub(crate) requests: usize,
    /// The longest that a call waits, for its turn and for its answer together.
    pub(crate) timeout: Duration,
}

/// More bytes than this make no batch: one request may have more, and is then alone.
pub(crate) const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Calls of one kind on their way to the database.
///
/// # Behavior
///
/// - While fewer executions than lanes are in flight, a call is executed alone, in its own future.
/// - Else it waits. The end of an execution hands its lane to a task that executes what waits, in
///   order of arrival, until nothing does. The task runs where the first of those waits: the call that
///   ended may have been dropped outside of any runtime. No timer runs, and nothing waits for company.
/// - Each answer comes from an execution that began after its call (R4).
/// - A call that is dropped or out of time while it waits is withdrawn: surely not applied.
pub(crate) struct Gather<B: Batch>(Arc<Shared<B>>);

struct Shared<B: Batch> {
    batch: B,
    bounds: Bounds,
    state: Mutex<State<B>>,
}

struct State<B: Batch> {
    in_flight: usize,
    next_ticket: u64,
    /// In order of their tickets.
    queue: VecDeque<Waiting<B>>,
}

struct Waiting<B: Batch> {
    ticket: u64,
    request: B::Request,
    answer: oneshot::Sender<Outcome<B::Answer>>,
    /// Where the call waits.
    runtime: Option<Handle>,
}

impl<B: Batch> Gather<B> {
    pub(crate) fn new(batch: B, bounds: Bounds) -> Self {
        Self(Arc::new(Shared {
            batch,
            bounds,
            state: Mutex::new(State {
                in_flight: 0,
                next_ticket: 0,
                queue: VecDeque::new(),
            }),
        }))
    }

    /// Answers one request.
    pub(crate) async fn call(&self, request: B::Request) -> Outcome<B::Answer> {
        match Shared::enter(&self.0, request) {
            Entry::Alone(request, lane) => {
                let outcome = self.0.batch.execute(slice::from_ref(&request)).await;
                drop(lane);
                outcome.and_then(|answers| only(answers.into_iter()))
            }
            Entry::Queued(waiter) => waiter.answer().await,
        }
    }
}

impl<B: Batch> fmt::Debug for Gather<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("bounds", &self.0.bounds)
            .finish_non_exhaustive()
    }
}

enum Entry<B: Batch> {
    Alone(B::Request, Lane<B>),
    Queued(Waiter<B>),
}

impl<B: Batch> Shared<B> {
    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(shared: &Arc<Self>, request: B::Request) -> Entry<B> {
        let mut state = shared.state();
        if state.in_flight < shared.bounds.lanes.max(1) {
            state.in_flight += 1;
            return Entry::Alone(request, Lane::of(shared));
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let (sender, receiver) = oneshot::channel();
        state.queue.push_back(Waiting {
            ticket,
            request,
            answer: sender,
            runtime: Handle::try_current().ok(),
        });
        Entry::Queued(Waiter {
            shared: Arc::clone(shared),
            ticket,
            answer: receiver,
        })
    }

    /// Takes a request back; tells whether it still waited.
    fn withdraw(&self, ticket: u64) -> bool {
        let mut state = self.state();
        let found = state
            .queue
            .binary_search_by_key(&ticket, |waiting| waiting.ticket);
        found.is_ok_and(|place| state.queue.remove(place).is_some())
    }

    /// The next batch; `None` once nothing waits, and then the lane is free.
    fn next(&self) -> Option<Vec<Waiting<B>>> {
        let mut state = self.state();
        if state.queue.is_empty() {
            state.in_flight -= 1;
            return None;
        }
        let most = self.bounds.requests.max(1);
        let mut taken = Vec::new();
        let mut passed_over = Vec::new();
        let mut keys = HashSet::new();
        let mut bytes = 0;
        // So many waiting calls about one token cost no more than a full batch.
        while taken.len() < most && passed_over.len() < most {
            let Some(waiting) = state.queue.pop_front() else {
                break;
            };
            let weight = self.batch.weight(&waiting.request);
            if !taken.is_empty() && bytes + weight > MAX_BATCH_BYTES {
                state.queue.push_front(waiting);
                break;
            }
            let key = self.batch.key(&waiting.request);
            if key.is_some_and(|key| !keys.insert(key)) {
                passed_over.push(waiting);
            } else {
                bytes += weight;
                taken.push(waiting);
            }
        }
        for waiting in passed_over.into_iter().rev() {
            state.queue.push_front(waiting);
        }
        Some(taken)
    }

    async fn execute(&self, taken: Vec<Waiting<B>>) {
        let mut requests = Vec::with_capacity(taken.len());
        let mut callers = Vec::with_capacity(taken.len());
        for waiting in taken {
            requests.push(waiting.request);
            callers.push(waiting.answer);
        }
        match self.batch.execute(&requests).await {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                // A caller that is gone needs no answer.
                for caller in callers {
                    let _ = caller.send(only(answers.by_ref().take(1)));
                }
            }
            Err(failure) if requests.len() > 1 && may_be_one_of_them(&failure) => {
                for (request, caller) in requests.iter().zip(callers) {
                    let outcome = self.batch.execute(slice::from_ref(request)).await;
                    let _ = caller.send(outcome.and_then(|answers| only(answers.into_iter())));
                }
            }
            Err(failure) => {
                for caller in callers {
                    let _ = caller.send(Err(failure.clone()));
                }
            }
        }
    }

    /// Answers all that wait: nobody will execute them.
    fn abandon(&self) {
        let queue = std::mem::take(&mut self.state().queue);
        for waiting in queue {
            let failure = Failure::refused(ErrorKind::Unavailable, "the runtime is shutting down");
            let _ = waiting.answer.send(Err(failure));
        }
    }
}

/// A fault that one record has must not become everybody's.
fn may_be_one_of_them(failure: &Failure) -> bool {
    !matches!(
        failure.cause,
        Cause::Again
            | Cause::Lost
            | Cause::Refused(ErrorKind::Unavailable | ErrorKind::Config | ErrorKind::Indeterminate)
    )
}

fn only<T>(mut answers: impl Iterator<Item = T>) -> Outcome<T> {
    answers
        .next()
        .ok_or_else(|| Failure::refused(ErrorKind::Internal, "a batch left a call unanswered"))
}

/// A call in the queue. Dropped, it is withdrawn.
struct Waiter<B: Batch> {
    shared: Arc<Shared<B>>,
    ticket: u64,
    answer: oneshot::Receiver<Outcome<B::Answer>>,
}

impl<B: Batch> Waiter<B> {
    async fn answer(mut self) -> Outcome<B::Answer> {
        let deadline = Call::within(self.shared.bounds.timeout).deadline();
        match timeout_at(deadline.into(), &mut self.answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Failure::lost("the work on a batch was cut short")),
            Err(_) if self.shared.withdraw(self.ticket) => Err(Failure::refused(
                ErrorKind::Unavailable,
                "the database was busy with earlier calls for too long",
            )),
            Err(_) => Err(Failure::lost("the database did not answer in time")),
        }
    }
}

impl<B: Batch> Drop for Waiter<B> {
    fn drop(&mut self) {
        self.shared.withdraw(self.ticket);
    }
}

#[cfg(test)]
mod tests;
