//! What the writer is asked to do, and how it answers.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokenkeep_core::{
    Clock, Error, ErrorKind, Flushed, Replacement, Result, Rotation, TokenFilter, TokenId,
    TokenRecord,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::namespace::Namespace;

/// For whom a call is made: the namespace, and the clock that the driver was opened with.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A job, and its place in the queue.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) job: Job,
    /// Given back when a short call is taken, and when a long one has ended.
    pub(crate) place: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) enum Job {
    /// Opens a namespace.
    Open(String, Reply<Arc<Namespace>>),
    /// Something that touches few records: decided with others in one group.
    Short(Caller, Short),
    /// Something that may touch many: done in slices, other groups in between.
    Long(Caller, Long),
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

    /// Whether the caller has gone.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.0.is_closed()
    }

    /// As [`after_commit`](Self::after_commit), for a call that earlier groups applied in part.
    pub(crate) fn after_last_commit(self, answer: Result<T>) -> Answer {
        Box::new(move |failed: Option<&Failed>| match failed {
            None => self.send(answer),
            Some(failed) => self.send(Err(failed.error_amid())),
        })
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

    /// The error for a call of which a part may have been applied before.
    pub(crate) fn error_amid(&self) -> Error {
        let kind = match self.kind {
            ErrorKind::Unavailable => ErrorKind::Indeterminate,
            kind => kind,
        };
        Error::new(kind, self.message.clone())
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
