//! A way to one server, over a connection that is replaced when it fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use redis::{Cmd, Pipeline};
use tokenkeep_backend::{Call, Outcome};

use super::connection::Connection;
use super::dial::Dialer;
use super::doubt::Doubt;
use super::flight::Flight;
use super::replies::Answer;
use crate::options::Address;

/// One way to one server. All calls share its connection, and whoever finds none dials for all.
///
/// # Behavior
///
/// - A connection that broke, or over which no answer came in a call's time, takes no more calls; those
///   that still wait for theirs keep it.
/// - Each connection that is lost, and each that is not to be had, raises the server's doubt.
#[derive(Debug)]
pub(super) struct Link {
    dialer: Arc<Dialer>,
    address: Address,
    state: Arc<Mutex<State>>,
    dialing: Flight<Arc<Connection>>,
    doubt: Arc<Doubt>,
}

#[derive(Debug)]
enum State {
    Up(Arc<Connection>),
    Down,
}

impl Link {
    pub(super) fn new(dialer: &Arc<Dialer>, address: &Address, doubt: &Arc<Doubt>) -> Self {
        Self {
            dialer: Arc::clone(dialer),
            address: address.clone(),
            state: Arc::new(Mutex::new(State::Down)),
            dialing: Flight::new(),
            doubt: Arc::clone(doubt),
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
        *lock(&self.state) = State::Down;
    }

    /// The connection there is, or else one that is dialed for all who ask meanwhile.
    async fn connection(&self) -> Outcome<Arc<Connection>> {
        match open_connection(&self.state) {
            Some(connection) => Ok(connection),
            None => self.dial().await,
        }
    }

    async fn dial(&self) -> Outcome<Arc<Connection>> {
        let (dialer, address) = (Arc::clone(&self.dialer), self.address.clone());
        let (state, doubt) = (Arc::clone(&self.state), Arc::clone(&self.doubt));
        let dialing = self.dialing.join(async move {
            // Another may just have been made.
            if let Some(connection) = open_connection(&state) {
                return Ok(connection);
            }
            let outcome = dialer.dial(&address, &doubt).await.map(Arc::new);
            *lock(&state) = match &outcome {
                Ok(connection) => State::Up(Arc::clone(connection)),
                Err(_) => {
                    doubt.raise();
                    State::Down
                }
            };
            outcome
        });
        dialing.await
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
    fn retire(&self, failed: &Arc<Connection>, problem: &str) {
        let mut state = lock(&self.state);
        if matches!(&*state, State::Up(current) if Arc::ptr_eq(current, failed)) {
            *state = State::Down;
            drop(state);
            self.doubt.raise();
            // No warning: the calls that it carried tell of it in their errors.
            tracing::info!(server = %self.address, problem, "a connection is given up");
        }
    }
}

fn open_connection(state: &Mutex<State>) -> Option<Arc<Connection>> {
    match &*lock(state) {
        State::Up(connection) if connection.is_open() => Some(Arc::clone(connection)),
        _ => None,
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Err(failure) = &outcome {
            self.link.retire(self.connection, &failure.message);
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
            self.link.retire(self.connection, "no answer came in time");
        }
    }
}
