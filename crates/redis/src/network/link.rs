//! A way to one server, over a connection that is replaced when it fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use redis::{Cmd, Pipeline};
use tokenkeep_backend::{Call, Failure, Outcome};
use tokenkeep_core::ErrorKind;

use super::connection::Connection;
use super::dial::Dialer;
use super::replies::Answer;
use crate::options::Address;

/// One way to one server. All calls share its connection, and whoever finds none dials for all.
///
/// # Behavior
///
/// - A connection that broke, or over which no answer came in a call's time, takes no more calls; those
///   that still wait for theirs keep it.
#[derive(Debug)]
pub(super) struct Link {
    dialer: Arc<Dialer>,
    address: Address,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    Down,
    Dialing(Dialing),
    Up(Arc<Connection>),
}

type Dialing = Shared<BoxFuture<'static, Outcome<Arc<Connection>>>>;

impl Link {
    pub(super) fn new(dialer: Arc<Dialer>, address: Address) -> Self {
        Self {
            dialer,
            address,
            state: Arc::new(Mutex::new(State::Down)),
        }
    }

    /// Sends a command and gives its answer.
    pub(super) async fn send(&self, call: &Call, command: &Cmd) -> Outcome<Answer> {
        let connection = self.connection().await?;
        let mut wait = self.wait(call, &connection);
        let reply = connection.send(command).await;
        wait.end(reply)
    }

    /// Sends commands together and gives their answers, but for the first `skipped` of them.
    pub(super) async fn send_all(
        &self,
        call: &Call,
        commands: &Pipeline,
        skipped: usize,
    ) -> Outcome<Vec<Answer>> {
        let connection = self.connection().await?;
        let mut wait = self.wait(call, &connection);
        let reply = connection.send_all(commands, skipped).await;
        wait.end(reply)
    }

    /// Lets the next call dial anew.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        if matches!(*state, State::Up(_)) {
            *state = State::Down;
        }
    }

    /// The connection there is, or else one that is dialed for all who ask meanwhile.
    async fn connection(&self) -> Outcome<Arc<Connection>> {
        let dialing = {
            let mut state = self.state();
            match &*state {
                State::Up(connection) if connection.is_open() => return Ok(Arc::clone(connection)),
                State::Dialing(dialing) if dialing.peek().is_none() => dialing.clone(),
                _ => {
                    let dialing = self.dial();
                    *state = State::Dialing(dialing.clone());
                    dialing
                }
            }
        };
        dialing.await
    }

    /// Dials in a task of its own, so that it goes on where the caller gives up.
    fn dial(&self) -> Dialing {
        let (dialer, address) = (Arc::clone(&self.dialer), self.address.clone());
        let state = Arc::clone(&self.state);
        let task = tokio::spawn(async move {
            let outcome = dialer.dial(&address).await.map(Arc::new);
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            *state = match &outcome {
                Ok(connection) => State::Up(Arc::clone(connection)),
                Err(_) => State::Down,
            };
            outcome
        });
        let cut_short = || Failure::refused(ErrorKind::Unavailable, "the program is ending");
        task.map(move |done| done.unwrap_or_else(|_| Err(cut_short())))
            .boxed()
            .shared()
    }

    fn wait<'a>(&'a self, call: &'a Call, connection: &'a Arc<Connection>) -> Wait<'a> {
        call.sent();
        Wait {
            link: self,
            call,
            connection,
            answers: connection.answers(),
            has_ended: false,
        }
    }

    /// Takes no more calls over this connection.
    fn retire(&self, failed: &Arc<Connection>) {
        let mut state = self.state();
        if matches!(&*state, State::Up(current) if Arc::ptr_eq(current, failed)) {
            *state = State::Down;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits for its answer.
struct Wait<'a> {
    link: &'a Link,
    call: &'a Call,
    connection: &'a Arc<Connection>,
    answers: u64,
    has_ended: bool,
}

impl Wait<'_> {
    fn end<T>(&mut self, outcome: Outcome<T>) -> Outcome<T> {
        self.has_ended = true;
        if outcome.is_err() {
            self.link.retire(self.connection);
        }
        outcome
    }
}

/// A call that is out of time was dropped while it waited. Where nobody had an answer meanwhile, the
/// next call does better with a new connection; where others had one, this server is merely slow.
impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let is_frozen = || self.connection.answers() == self.answers;
        if !self.has_ended && Instant::now() >= self.call.deadline() && is_frozen() {
            self.link.retire(self.connection);
        }
    }
}
