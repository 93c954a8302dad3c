//! A connection that one call uses, and what becomes of it afterwards.

use std::time::Instant;

use deadpool::managed::{Object, Pool};
use tokenkeep_backend::{Call, Cause, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::runtime::Handle;
use tokio::time::timeout_at;

use super::Connector;
use super::manager::{Manager, PROOF, Slot};

/// A connection that one call uses.
///
/// [`done`](Self::done) or [`end`](Self::end) gives it back. Dropped without, it is closed: a call that
/// was cut off may have left a transaction open, whose locks nobody else must wait for, or an answer
/// on its way that the next call would take for its own.
///
/// A server works on for a connection that is closed, perhaps until a lock is free. So a task keeps the
/// connection's place until the server is heard of again, or the call's time is up: however many calls
/// are dropped, the server has no more sessions than the pool may have.
pub(crate) struct Link<C: Connector> {
    /// Until it is given back.
    object: Option<Object<Manager<C>>>,
    pool: Pool<Manager<C>>,
    /// The call's.
    deadline: Instant,
}

impl<C: Connector> Link<C> {
    pub(super) fn new(pool: &Pool<Manager<C>>, object: Object<Manager<C>>, call: &Call) -> Self {
        Self {
            object: Some(object),
            pool: pool.clone(),
            deadline: call.deadline(),
        }
    }

    /// The connection.
    pub(crate) fn connection(&mut self) -> Outcome<&mut C::Connection> {
        let gone = || Failure::refused(ErrorKind::Internal, "the connection was given back");
        let slot = self.object.as_mut().ok_or_else(gone)?;
        Ok(&mut slot.connection)
    }

    /// The call ran to its end, whatever its answer, and no transaction is open.
    pub(crate) fn done(mut self) {
        if let Some(mut object) = self.object.take() {
            object.used = Instant::now();
        }
    }

    /// As [`done`](Self::done) for a single statement, unless the connection broke over it.
    pub(crate) fn end<T>(mut self, outcome: Outcome<T>) -> Outcome<T> {
        match &outcome {
            Err(failure) if failure.cause == Cause::Lost => {
                self.pool.manager().broke();
                if let Some(object) = self.object.take() {
                    drop(Object::take(object));
                }
            }
            _ => self.done(),
        }
        outcome
    }
}

impl<C: Connector> Drop for Link<C> {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else {
            return;
        };
        let now = Instant::now();
        if now >= self.deadline {
            self.pool.manager().broke();
        }
        let runtime = Handle::try_current()
            .ok()
            .or_else(|| object.runtime.clone());
        let leaving = Leaving(Some(object));
        if let (true, Some(runtime)) = (C::WORKS_ON, runtime) {
            let until = self.deadline.max(now + PROOF);
            runtime.spawn(leaving.leave(self.pool.clone(), until));
        }
    }
}

/// A connection on its way out, which keeps its place in the pool until it is dropped.
struct Leaving<C: Connector>(Option<Object<Manager<C>>>);

impl<C: Connector> Leaving<C> {
    /// Ends once the server has answered what it was asked last.
    async fn leave(mut self, pool: Pool<Manager<C>>, until: Instant) {
        let Some(object) = self.0.as_mut() else {
            return;
        };
        let manager = pool.manager();
        let slot: &mut Slot<C::Connection> = object;
        let answer = manager.connector.reset(&mut slot.connection);
        if !matches!(timeout_at(until.into(), answer).await, Ok(Ok(()))) {
            manager.broke();
        }
    }
}

impl<C: Connector> Drop for Leaving<C> {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}
