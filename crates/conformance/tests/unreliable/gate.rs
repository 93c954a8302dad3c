//! The memory driver behind a gate that freezes, stops and comes back, as a server would.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{
    Clock, Error, ErrorKind, Flushed, MemoryDriver, Page, PageRequest, Replacement, Result,
    RevokedToken, Rotation, StoreInfo, TokenDriver, TokenFilter, TokenId, TokenRecord,
};
use tokio::sync::{Semaphore, watch};

/// How long a call waits at a frozen gate.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_millis(200);

/// What the backend does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Working,
    Frozen,
    Stopped,
    ReadOnly,
}

/// How a driver treats its backend wrongly. `None` treats it rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Waits for a frozen backend without a bound.
    WaitsForEver,
    /// Takes an error of the backend for an absent token.
    AnswersNotFound,
    /// Asks a mirror of its own while the backend is gone, and gives an empty answer.
    AnswersFromAMirror,
    /// Says of a read that it may have been applied.
    CannotTellReads,
    /// Says that a write was not applied, and then it is.
    AppliesAfterUnavailable,
    /// Never tries again once the backend was gone.
    GivesUpForGood,
    /// Lets one call wait at a time, each for the whole timeout.
    WaitsInLine,
    /// Takes the connection of a dropped call for busy.
    LosesDroppedConnections,
    /// Starts with nothing after it was gone.
    StartsEmpty,
    /// Writes where nothing may be written.
    WritesAllTheSame,
    /// Says of a write that was refused that it may have been applied.
    CannotTellWrites,
    /// Takes a backend that refuses to write for one that is gone.
    RefusesReads,
}

/// A driver whose calls pass only while the backend works.
#[derive(Debug)]
pub(crate) struct Gated {
    backend: Mutex<MemoryDriver>,
    clock: Arc<dyn Clock>,
    state: watch::Receiver<State>,
    pub(crate) fault: Fault,
    /// Whether the backend was found gone.
    given_up: AtomicBool,
    /// For those that wait in line.
    turn: Semaphore,
    /// For those that have a pool.
    connections: Semaphore,
}

impl Gated {
    pub(crate) fn new(clock: Arc<dyn Clock>, state: watch::Receiver<State>, fault: Fault) -> Self {
        Self {
            backend: Mutex::new(MemoryDriver::new(Arc::clone(&clock))),
            clock,
            state,
            fault,
            given_up: AtomicBool::new(false),
            turn: Semaphore::new(1),
            connections: Semaphore::new(8),
        }
    }

    /// What a backend does that keeps its data in memory alone.
    pub(crate) fn lose_everything(&self) {
        *self.backend.lock().unwrap() = self.empty();
    }

    fn empty(&self) -> MemoryDriver {
        MemoryDriver::new(Arc::clone(&self.clock))
    }

    /// Where a call goes, and the error that it is answered with all the same.
    async fn backend(&self, is_read: bool) -> Result<(MemoryDriver, Option<Error>)> {
        let backend = self.backend.lock().unwrap().clone();
        match (self.pass(is_read).await, self.fault) {
            (Ok(()), _) => Ok((backend, None)),
            (Err(_), Fault::AnswersFromAMirror) => Ok((self.empty(), None)),
            (Err(error), Fault::AppliesAfterUnavailable) => Ok((backend, Some(error))),
            (Err(error), _) => Err(error),
        }
    }

    /// Lets a call pass, or gives the error that it ends with.
    async fn pass(&self, is_read: bool) -> Result<()> {
        if self.fault != Fault::LosesDroppedConnections {
            return self.wait(is_read).await;
        }
        let connection = tokio::time::timeout(CALL_TIMEOUT, self.connections.acquire()).await;
        connection
            .map_err(|_| unavailable())?
            .map_err(|_| unavailable())?
            .forget();
        let passed = self.wait(is_read).await;
        self.connections.add_permits(1);
        passed
    }

    async fn wait(&self, is_read: bool) -> Result<()> {
        let state = *self.state.borrow();
        if self.given_up.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        if state == State::Working {
            return Ok(());
        }
        match self.fault {
            Fault::AnswersNotFound => return Err(Error::not_found()),
            Fault::CannotTellReads if is_read => {
                return Err(Error::new(ErrorKind::Indeterminate, "cannot tell"));
            }
            Fault::GivesUpForGood => self.given_up.store(true, Ordering::SeqCst),
            _ => {}
        }
        match state {
            State::Stopped => Err(unavailable()),
            State::ReadOnly => self.read_only(is_read),
            _ => self.wait_for_a_thaw().await,
        }
    }

    fn read_only(&self, is_read: bool) -> Result<()> {
        match self.fault {
            Fault::WritesAllTheSame => Ok(()),
            Fault::CannotTellWrites if !is_read => {
                Err(Error::new(ErrorKind::Indeterminate, "cannot tell"))
            }
            Fault::RefusesReads => Err(unavailable()),
            _ if is_read => Ok(()),
            _ => Err(unavailable()),
        }
    }

    async fn wait_for_a_thaw(&self) -> Result<()> {
        let _turn = match self.fault {
            Fault::WaitsInLine => self.turn.acquire().await.ok(),
            _ => None,
        };
        let bound = match self.fault {
            Fault::WaitsForEver => Duration::MAX,
            _ => CALL_TIMEOUT,
        };
        let mut state = self.state.clone();
        let thawed = state.wait_for(|state| *state == State::Working);
        match tokio::time::timeout(bound, thawed).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(unavailable()),
        }
    }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "the backend does not answer")
}

/// The answer, unless the fault has an error for it.
fn answer<T>(answer: Result<T>, error: Option<Error>) -> Result<T> {
    error.map_or(answer, Err)
}

#[async_trait]
impl TokenDriver for Gated {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        let (backend, error) = self.backend(false).await?;
        answer(backend.create(record).await, error)
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        let (backend, error) = self.backend(true).await?;
        answer(backend.get(id).await, error)
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        let (backend, error) = self.backend(false).await?;
        answer(backend.delete(id).await, error)
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let (backend, error) = self.backend(false).await?;
        answer(backend.delete_tokens(filter).await, error)
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        let (backend, error) = self.backend(true).await?;
        answer(backend.list(filter, page).await, error)
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let (backend, error) = self.backend(true).await?;
        answer(backend.list_revoked(page).await, error)
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let (backend, error) = self.backend(false).await?;
        answer(backend.replace(change, expected_version).await, error)
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let (backend, error) = self.backend(false).await?;
        answer(backend.rotate(old, successor).await, error)
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        let (backend, error) = self.backend(false).await?;
        answer(backend.flush_expired(limit).await, error)
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        let (backend, error) = self.backend(false).await?;
        answer(backend.create_many(records).await, error)
    }

    async fn check(&self) -> Result<StoreInfo> {
        let (backend, error) = self.backend(true).await?;
        answer(backend.check().await, error)
    }
}
