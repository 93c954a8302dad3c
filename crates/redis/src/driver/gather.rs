//! Calls about one token each that are made together where many are under way.
//!
//! A server and its clients spend more on a command than on the token in it. So a few calls go straight
//! through, each in its own future; beyond those, calls wait until one of the flights under way ends, and
//! then go together. No timer runs, and nothing waits for company.
//!
//! Which calls can go together is said by each kind; see [`Batch::is_gathered`].

use std::fmt;
use std::mem;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::timeout_at;

use super::core::Core;
use crate::reply::strange;

/// So many calls of a kind go straight through.
const ALONE: usize = 4;
/// So many flights of a kind are under way: while the answers of one are handed out, the server has others.
const FLIGHTS: usize = 3;
/// How many calls go together.
const MOST: usize = 64;

/// A call that can be made together with others of its kind.
pub(super) trait Batch: Send + Sized + 'static {
    type Answer: Send + 'static;

    /// Where calls of this kind gather.
    fn gather(core: &Core) -> &Gather<Self>;

    /// Whether calls of this kind gather in such a store at all.
    fn is_gathered(core: &Core) -> bool;

    /// Makes calls together; gives an answer for each, in their order.
    fn execute(
        core: &Arc<Core>,
        call: &Call,
        requests: &[Self],
    ) -> impl Future<Output = Outcome<Vec<Self::Answer>>> + Send;

    /// Makes one call by itself.
    fn one(core: &Arc<Core>, request: &Self) -> impl Future<Output = Outcome<Self::Answer>> {
        async {
            let answers = Self::execute(core, &core.call(), slice::from_ref(request)).await?;
            answers.into_iter().next().ok_or_else(strange)
        }
    }
}

/// Calls of one kind that are under way.
pub(super) struct Gather<B: Batch>(Mutex<State<B>>);

struct State<B: Batch> {
    /// Callers that have no answer yet.
    callers: usize,
    flights: usize,
    next: u64,
    waiting: Vec<Waiting<B>>,
}

struct Waiting<B: Batch> {
    number: u64,
    request: B,
    answer: oneshot::Sender<Outcome<B::Answer>>,
}

/// How a call goes on.
pub(super) enum Way<'a, B: Batch> {
    /// By itself, as long as this is kept.
    Alone(Option<Caller<'a, B>>),
    /// With others.
    Together(Ticket<'a, B>),
}

impl<B: Batch> Default for Gather<B> {
    fn default() -> Self {
        Self(Mutex::new(State {
            callers: 0,
            flights: 0,
            next: 0,
            waiting: Vec::new(),
        }))
    }
}

impl<B: Batch> fmt::Debug for Gather<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("callers", &self.state().callers)
            .finish_non_exhaustive()
    }
}

impl<B: Batch> Gather<B> {
    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What flies next; nothing ends the flight.
    fn next(&self) -> Vec<Waiting<B>> {
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.flights -= 1;
        }
        let count = state.waiting.len().min(MOST);
        let rest = state.waiting.split_off(count);
        mem::replace(&mut state.waiting, rest)
    }
}

/// Lets a call go on by itself or with others.
pub(super) fn enter<B: Batch>(core: &Arc<Core>, request: impl FnOnce() -> B) -> Way<'_, B> {
    if !B::is_gathered(core) {
        return Way::Alone(None);
    }
    let gather = B::gather(core);
    let mut state = gather.state();
    state.callers += 1;
    let caller = Caller { gather };
    if state.callers <= ALONE {
        return Way::Alone(Some(caller));
    }
    let (answer, receiver) = oneshot::channel();
    let number = state.next;
    state.next += 1;
    state.waiting.push(Waiting {
        number,
        request: request(),
        answer,
    });
    if state.flights < FLIGHTS {
        state.flights += 1;
        drop(state);
        tokio::spawn(fly(Flight {
            core: Arc::clone(core),
            gather: B::gather,
            has_landed: false,
        }));
    }
    Way::Together(Ticket {
        caller,
        number,
        receiver,
    })
}

/// One who waits for an answer.
pub(super) struct Caller<'a, B: Batch> {
    gather: &'a Gather<B>,
}

impl<B: Batch> Drop for Caller<'_, B> {
    fn drop(&mut self) {
        self.gather.state().callers -= 1;
    }
}

/// A call's place among those that wait. Dropped before it flies, it was not made.
pub(super) struct Ticket<'a, B: Batch> {
    caller: Caller<'a, B>,
    number: u64,
    receiver: oneshot::Receiver<Outcome<B::Answer>>,
}

impl<B: Batch> Ticket<'_, B> {
    /// The answer, if it comes within the call's time.
    pub(super) async fn answer(mut self, call: &Call) -> Outcome<B::Answer> {
        match timeout_at(call.deadline().into(), &mut self.receiver).await {
            Ok(answered) => answered.unwrap_or_else(|_| Err(Failure::lost(ENDING))),
            Err(_) if self.withdraw() => Err(Failure::refused(ErrorKind::Unavailable, BUSY)),
            Err(_) => Err(Failure::lost("the store did not answer in time")),
        }
    }

    /// Takes the call back; tells whether it was still waiting.
    fn withdraw(&mut self) -> bool {
        let mut state = self.caller.gather.state();
        let number = self.number;
        let found = state.waiting.binary_search_by_key(&number, |w| w.number);
        found.map(|place| state.waiting.remove(place)).is_ok()
    }
}

impl<B: Batch> Drop for Ticket<'_, B> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

const BUSY: &str = "the store was busy with earlier calls for too long";
const ENDING: &str = "the program is ending";

/// Flies as long as calls wait.
async fn fly<B: Batch>(mut flight: Flight<B>) {
    let core = Arc::clone(&flight.core);
    loop {
        // Callers who were just answered make their next calls first, and those go along.
        yield_now().await;
        let batch = B::gather(&core).next();
        if batch.is_empty() {
            flight.has_landed = true;
            return;
        }
        let (requests, callers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.request, waiting.answer))
            .unzip();
        // A caller that is gone needs no answer.
        match B::execute(&core, &core.call_of_many(), &requests).await {
            Ok(answers) => {
                for (caller, answer) in callers.into_iter().zip(answers) {
                    let _ = caller.send(Ok(answer));
                }
            }
            Err(failure) => {
                for caller in callers {
                    let _ = caller.send(Err(failure.clone()));
                }
            }
        }
    }
}

struct Flight<B: Batch> {
    core: Arc<Core>,
    gather: fn(&Core) -> &Gather<B>,
    has_landed: bool,
}

impl<B: Batch> Drop for Flight<B> {
    /// Ended with its runtime: it leaves nobody waiting.
    fn drop(&mut self) {
        if self.has_landed {
            return;
        }
        let mut state = (self.gather)(&self.core).state();
        state.flights -= 1;
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        for waiting in waiting {
            let refused = Failure::refused(ErrorKind::Unavailable, ENDING);
            let _ = waiting.answer.send(Err(refused));
        }
    }
}
