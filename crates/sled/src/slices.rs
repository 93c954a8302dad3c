//! Calls that may touch many records, done in slices, so that no other caller waits for long.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::vec::IntoIter;

use tokenkeep_core::{Error, Flushed, Result, TokenFilter, TokenId, TokenRecord};
use tokenkeep_layout::{Key, expired, indexed};
use tokio::sync::OwnedSemaphorePermit;

use crate::group::View;
use crate::job::{Answer, Caller, Failed, Long, Reply};

/// How many records one slice changes at most.
const CHANGED: usize = 128;
/// How many records one slice looks at, at most.
const LOOKED_AT: usize = 1024;

/// A call in the middle of its work.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) caller: Caller,
    work: Work,
    /// Its place in the queue, so that no more long calls pile up here than wait there.
    place: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Work {
    CreateMany {
        records: IntoIter<TokenRecord>,
        answers: Vec<Result<()>>,
        reply: Reply<Vec<Result<()>>>,
    },
    DeleteTokens {
        filter: TokenFilter,
        walk: Walk,
        revoked: BTreeSet<TokenId>,
        reply: Reply<Vec<TokenId>>,
    },
    FlushExpired {
        limit: NonZeroU32,
        removed: u64,
        reply: Reply<Flushed>,
    },
}

/// How far a bulk revocation has come.
#[derive(Debug, Default)]
struct Walk {
    /// The last token looked at in the order of ids.
    after: Option<TokenId>,
    /// Tokens before that which took another's place since, and are still to be looked at.
    missed: Vec<TokenId>,
}

/// What remains of a call after a slice.
pub(crate) enum Step {
    /// More slices, once this one is on the disk.
    Unfinished(Box<Running>),
    /// The answer, for when the slice is on the disk.
    Finished(Answer),
}

impl Running {
    pub(crate) fn new(caller: Caller, call: Long, place: OwnedSemaphorePermit) -> Self {
        let work = match call {
            Long::CreateMany(records, reply) => Work::CreateMany {
                answers: Vec::with_capacity(records.len()),
                records: records.into_iter(),
                reply,
            },
            Long::DeleteTokens(filter, reply) => Work::DeleteTokens {
                filter,
                walk: Walk::default(),
                revoked: BTreeSet::new(),
                reply,
            },
            Long::FlushExpired(limit, reply) => Work::FlushExpired {
                limit,
                removed: 0,
                reply,
            },
        };
        Self {
            caller,
            work,
            place,
        }
    }

    /// Whether the caller has gone; what was not begun then need not be done (R17).
    pub(crate) fn is_unwanted(&self) -> bool {
        match &self.work {
            Work::CreateMany { reply, .. } => reply.is_unwanted(),
            Work::DeleteTokens { reply, .. } => reply.is_unwanted(),
            Work::FlushExpired { reply, .. } => reply.is_unwanted(),
        }
    }

    /// Hears of the tokens that took another's place since its last slice.
    pub(crate) fn follow(&mut self, successors: &[TokenId]) {
        if let Work::DeleteTokens { walk, .. } = &mut self.work {
            let is_behind = |id: &&TokenId| walk.after.is_some_and(|after| **id <= after);
            walk.missed.extend(successors.iter().filter(is_behind));
        }
    }

    /// Does one slice. The view must be free of changes: indexes are read past it.
    pub(crate) fn step(self, view: &mut View<'_>) -> Step {
        let Self {
            caller,
            work,
            place,
        } = self;
        let unfinished = |work| {
            Step::Unfinished(Box::new(Self {
                caller,
                work,
                place,
            }))
        };
        match work {
            Work::CreateMany {
                mut records,
                mut answers,
                reply,
            } => {
                let most = answers.len() + CHANGED;
                while answers.len() < most
                    && !view.is_slice_full()
                    && let Some(record) = records.next()
                {
                    answers.push(view.create(record));
                }
                if records.len() == 0 {
                    return Step::Finished(reply.after_last_commit(Ok(answers)));
                }
                unfinished(Work::CreateMany {
                    records,
                    answers,
                    reply,
                })
            }
            Work::DeleteTokens {
                filter,
                mut walk,
                mut revoked,
                reply,
            } => match delete_slice(view, &filter, &mut walk, &mut revoked) {
                Ok(false) => unfinished(Work::DeleteTokens {
                    filter,
                    walk,
                    revoked,
                    reply,
                }),
                Ok(true) => {
                    Step::Finished(reply.after_last_commit(Ok(revoked.into_iter().collect())))
                }
                Err(error) => Step::Finished(reply.after_last_commit(Err(error))),
            },
            Work::FlushExpired {
                limit,
                mut removed,
                reply,
            } => match flush_slice(view, limit, &mut removed) {
                Ok(None) => unfinished(Work::FlushExpired {
                    limit,
                    removed,
                    reply,
                }),
                Ok(Some(more)) => {
                    Step::Finished(reply.after_last_commit(Ok(Flushed { removed, more })))
                }
                Err(error) => Step::Finished(reply.after_last_commit(Err(error))),
            },
        }
    }

    /// Ends a call whose last slice did not get to the disk.
    pub(crate) fn fail(self, failed: &Failed) {
        match self.work {
            Work::CreateMany { reply, .. } => reply.send(Err(failed.error_amid())),
            Work::DeleteTokens { reply, .. } => reply.send(Err(failed.error_amid())),
            Work::FlushExpired { reply, .. } => reply.send(Err(failed.error_amid())),
        }
    }
}

/// Revokes the next tokens that match, first those that were missed, then in the order of ids; true at
/// the end.
///
/// Every token that was active before the call stands in the index until it is revoked, so one walk
/// past all ids finds it, or the token that took its place where the walk had been, whatever is created
/// meanwhile (R8).
fn delete_slice(
    view: &mut View<'_>,
    filter: &TokenFilter,
    walk: &mut Walk,
    revoked: &mut BTreeSet<TokenId>,
) -> Result<bool> {
    let (anchor, value) = filter.check()?;
    let most = revoked.len() + CHANGED;
    let entries = view
        .namespace()
        .scan(indexed(anchor, value, walk.after.as_ref()));
    let mut ahead = entries.map(|entry| token_of(&entry?.0));
    for looked_at in 0.. {
        if revoked.len() == most || looked_at == LOOKED_AT || view.is_slice_full() {
            break;
        }
        let id = match walk.missed.pop() {
            Some(missed) => missed,
            None => match ahead.next() {
                Some(id) => *walk.after.insert(id?),
                None => return Ok(true),
            },
        };
        if view.revoke_if(&id, filter)? {
            revoked.insert(id);
        }
    }
    Ok(false)
}

/// Removes the next expired tokens; at the end of the call, tells whether more wait.
fn flush_slice(view: &mut View<'_>, limit: NonZeroU32, removed: &mut u64) -> Result<Option<bool>> {
    let most = (*removed + CHANGED as u64).min(u64::from(limit.get()));
    for entry in view.namespace().scan(expired(view.now())) {
        if *removed == most {
            let ended = most == u64::from(limit.get());
            return Ok(ended.then_some(true));
        }
        view.remove_expired(&token_of(&entry?.0)?)?;
        *removed += 1;
    }
    Ok(Some(false))
}

/// The token that an entry of an index or of the order of expiry is about.
pub(crate) fn token_of(key: &Key) -> Result<TokenId> {
    match key {
        Key::Index(_, _, id) | Key::Expiry(_, id) => Ok(*id),
        _ => Err(Error::corrupt(
            "an index",
            "holds a key that does not belong there",
        )),
    }
}
