//! What the writer is asked to do, and how it answers.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokenkeep_core::{
    Error, ErrorKind, Flushed, Replacement, Result, Rotation, TokenFilter, TokenId, TokenRecord,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::namespace::Namespace;

/// A job, and its place in the queue.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) job: Job,
    /// Given back when the writer takes the request.
    pub(crate) _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) enum Job {
    /// Opens a namespace.
    Open(String, Reply<Arc<Namespace>>),
    /// Something that touches few records: decided with others in one group.
    Short(Arc<Namespace>, Short),
    /// Something that may touch many: done in slices, other groups in between.
    Long(Arc<Namespace>, Long),
}

#[derive(Debug)]
pub(crate) enum Short {
    Create(TokenRecord, Reply<()>),
    Delete(TokenId, Reply<()>),
    Replace(Replacement, u64, Reply<u64>),
    Rotate(TokenId, TokenRecord, Reply<Rotation>),
}

#[derive(Debug)]
pub(crate) enum Long {
    CreateMany(Vec<TokenRecord>, Reply<Vec<Result<()>>>),
    DeleteTokens(TokenFilter, Reply<Vec<TokenId>>),
    FlushExpired(NonZeroU32, Reply<Flushed>),
}

/// The way back to the caller, who may have gone.
#[derive(Debug)]
pub(crate) struct Reply<T>(oneshot::Sender<Result<T>>);

impl<T: Send + 'static> Reply<T> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<T>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    pub(crate) fn send(self, answer: Result<T>) {
        // A caller who dropped the call wants no answer; what was done stays done (R17).
        let _ = self.0.send(answer);
    }

    /// Holds the answer back until the group is on the disk. If it does not get there, the answer
    /// is worth nothing, a negative one included: it may rest on a write of the same group.
    pub(crate) fn after_commit(self, answer: Result<T>) -> Answer {
        Box::new(move |failed: Option<&Failed>| match failed {
            None => self.send(answer),
            Some(failed) => self.send(Err(failed.error())),
        })
    }
}

/// An answer that waits for its group.
pub(crate) type Answer = Box<dyn FnOnce(Option<&Failed>) + Send>;

/// Why a group was not brought to the disk: one error for many callers.
#[derive(Debug)]
pub(crate) struct Failed {
    kind: ErrorKind,
    message: String,
}

impl Failed {
    pub(crate) fn error(&self) -> Error {
        Error::new(self.kind, self.message.clone())
    }
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
        }
    }
}
