//! Gathers concurrent calls of one kind into one statement, and lets a lone call straight through.

mod execution;
mod lane;
mod queue;
mod waiter;

use std::fmt;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_backend::{Call, Cause, ENDLESS, Failure, Outcome};
use tokenkeep_core::{ErrorKind, TokenId};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use self::lane::{Lane, Lanes};
use self::queue::{Queue, Waiting};
use self::waiter::Waiter;

/// Work that can be done for many callers at once.
#[async_trait]
pub(crate) trait Batch: Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// The token that the request is about, if two about the same may not stand in one batch.
    fn key(&self, request: &Self::Request) -> Option<TokenId>;

    /// How many bytes the request brings along.
    fn weight(&self, request: &Self::Request) -> usize;

    /// Answers each request, in the order given, within the bound of this call.
    async fn execute(&self, call: &Call, requests: &[Self::Request]) -> Outcome<Vec<Self::Answer>>;
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

impl Bounds {
    /// The time that a waiting call must have left to be begun: one that is cut off soon leaves doubt
    /// and takes the place of one that is not.
    fn least(&self) -> Duration {
        self.timeout / 4
    }

    /// How long before the first of its callers gives up a batch ends, so that each is told what
    /// became of it.
    fn margin(&self) -> Duration {
        self.timeout / 16
    }
}

/// More bytes than this make no batch: one request may have more, and is then alone.
pub(crate) const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// What a call is told whose turn did not come, or too late.
const BUSY: &str = "the database was busy with earlier calls for too long";

/// Calls of one kind on their way to the database.
///
/// # Behavior
///
/// - While fewer executions than lanes are in flight, a call is executed alone, in its own future.
/// - Else it waits. The end of an execution hands its lane to a task that executes what waits, in
///   order of arrival, until nothing does. The task runs where the first of those waits: the call that
///   ended may have been dropped outside of any runtime. No timer runs, and nothing waits for company.
/// - Each answer comes from an execution that began after its call (R4).
/// - A call that is dropped or out of time while it waits is withdrawn: surely not applied. So is one
///   with too little time left when its turn comes.
/// - After an execution whose answer was lost the next is of one call: where the database is gone, the
///   others learn that they were surely not applied.
/// - A lane that is held for longer than any call takes, by a call that nobody polls, is given to
///   another.
pub(crate) struct Gather<B: Batch>(Arc<Shared<B>>);

struct Shared<B: Batch> {
    batch: B,
    bounds: Bounds,
    state: Mutex<State<B>>,
}

struct State<B: Batch> {
    lanes: Lanes,
    queue: Queue<B>,
    /// Whether the last execution's answer was lost.
    in_doubt: bool,
}

impl<B: Batch> Gather<B> {
    pub(crate) fn new(batch: B, bounds: Bounds) -> Self {
        let bounds = Bounds {
            timeout: bounds.timeout.min(ENDLESS),
            ..bounds
        };
        Self(Arc::new(Shared {
            batch,
            bounds,
            state: Mutex::new(State {
                lanes: Lanes::new(bounds.lanes, bounds.timeout),
                queue: Queue::new(),
                in_doubt: false,
            }),
        }))
    }

    /// Answers one request.
    pub(crate) async fn call(&self, request: B::Request) -> Outcome<B::Answer> {
        let call = Call::within(self.0.bounds.timeout);
        match Shared::enter(&self.0, request, &call) {
            Entry::Alone(request, lane) => {
                let requests = slice::from_ref(&request);
                let outcome = self.0.execute(&call, requests).await;
                drop(lane);
                outcome.and_then(|answers| only(answers.into_iter()))
            }
            Entry::Queued(waiter) => waiter.answer(&call).await,
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

    fn enter(shared: &Arc<Self>, request: B::Request, call: &Call) -> Entry<B> {
        let mut state = shared.state();
        if let Some(number) = state.lanes.take(Instant::now()) {
            return Entry::Alone(request, Lane::new(shared, number));
        }
        let (sender, receiver) = oneshot::channel();
        let ticket = state.queue.push(Waiting {
            request,
            answer: sender,
            deadline: call.deadline(),
            runtime: Handle::try_current().ok(),
        });
        Entry::Queued(Waiter::new(shared, ticket, receiver))
    }

    /// The next batch for this lane; `None` once nothing waits, and then the lane is free.
    fn next(&self, lane: u64) -> Option<Vec<Waiting<B>>> {
        loop {
            let now = Instant::now();
            let mut state = self.state();
            if !state.lanes.renew(lane, now) {
                return None;
            }
            if state.queue.is_empty() {
                state.lanes.free(lane);
                return None;
            }
            let most = match state.in_doubt {
                true => 1,
                false => self.bounds.requests.max(1),
            };
            let taken = state
                .queue
                .take(&self.batch, most, now + self.bounds.least());
            drop(state);
            for waiting in taken.late {
                waiting.refuse(BUSY);
            }
            if !taken.batch.is_empty() {
                return Some(taken.batch);
            }
        }
    }

    async fn execute(&self, call: &Call, requests: &[B::Request]) -> Outcome<Vec<B::Answer>> {
        let outcome = self.batch.execute(call, requests).await;
        let is_lost = matches!(&outcome, Err(failure) if failure.cause == Cause::Lost);
        self.state().in_doubt = is_lost;
        outcome
    }

    /// Answers all that wait: nobody will execute them.
    fn abandon(&self) {
        let waiting = self.state().queue.take_all();
        for waiting in waiting {
            waiting.refuse("the runtime is shutting down");
        }
    }
}

fn only<T>(mut answers: impl Iterator<Item = T>) -> Outcome<T> {
    answers
        .next()
        .ok_or_else(|| Failure::refused(ErrorKind::Internal, "a batch left a call unanswered"))
}

#[cfg(test)]
mod bench;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod tests;
