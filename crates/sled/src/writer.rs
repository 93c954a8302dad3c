//! The one thread that writes.
//!
//! Concurrent writers make sled slower and share no flush. Here they share one: while a group is
//! being brought to the disk, calls gather in the queue and make the next group. Nothing waits for
//! company: a lone call goes at once.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokenkeep_core::{Error, ErrorKind, Limits, Result};

use crate::disk::Disk;
use crate::failure::Failure;
use crate::group::Group;
use crate::job::{Caller, Failed, Job, Request, Short};
use crate::namespace::Namespace;
use crate::options::SledDurability;
use crate::slices::{Running, Step};

/// How many short calls one group takes at most.
const MAX_CALLS: usize = 256;

/// How long a write may wait for the disk with relaxed durability.
pub(crate) const RELAXED_INTERVAL: Duration = Duration::from_millis(500);

pub(crate) struct Writer {
    pub(crate) db: sled::Db,
    pub(crate) disk: Disk,
    pub(crate) limits: Limits,
    pub(crate) durability: SledDurability,
    pub(crate) failure: Arc<Failure>,
    pub(crate) requests: Receiver<Request>,
}

impl Writer {
    /// Works until all handles of the store are dropped; gives back what was open.
    ///
    /// A panic closes the store to readers too: memory and files may differ from then on.
    pub(crate) fn run(self) -> (Disk, Result<()>) {
        let mut state = State {
            writer: self,
            namespaces: HashMap::new(),
            waiting: VecDeque::new(),
            running: VecDeque::new(),
            flush_due: None,
        };
        let worked = catch_unwind(AssertUnwindSafe(|| {
            while state.gather() {
                state.work();
            }
            state.flush_if(true)
        }));
        let result = worked.unwrap_or_else(|_| {
            let error = Error::new(ErrorKind::Internal, "the writer panicked");
            state.writer.failure.set(&error);
            Err(error)
        });
        (state.writer.disk, result)
    }
}

struct State {
    writer: Writer,
    namespaces: HashMap<String, Arc<Namespace>>,
    /// Short calls that were taken from the queue.
    waiting: VecDeque<(Caller, Short)>,
    /// Long calls, each of which does a slice in turn.
    running: VecDeque<Running>,
    /// With relaxed durability: when the oldest unflushed write has waited long enough.
    flush_due: Option<Instant>,
}

impl State {
    /// Takes what is in the queue, and waits if there is nothing to do; false when the store is
    /// closed.
    fn gather(&mut self) -> bool {
        if self.running.is_empty() && self.waiting.is_empty() {
            let first = match self.flush_due {
                None => self.writer.requests.recv().map_err(|_| false),
                Some(due) => {
                    let wait = due.saturating_duration_since(Instant::now());
                    let timed_out = |error| error == RecvTimeoutError::Timeout;
                    self.writer.requests.recv_timeout(wait).map_err(timed_out)
                }
            };
            match first {
                Ok(request) => self.take(request),
                Err(go_on) => return go_on,
            }
        }
        while self.waiting.len() < MAX_CALLS {
            match self.writer.requests.try_recv() {
                Ok(request) => self.take(request),
                Err(TryRecvError::Empty) => break,
                // All callers are gone. What was begun as a whole is done, the rest of a long call is not.
                Err(TryRecvError::Disconnected) => {
                    self.running.clear();
                    return !self.waiting.is_empty();
                }
            }
        }
        true
    }

    fn take(&mut self, request: Request) {
        match request.job {
            Job::Short(caller, short) => self.waiting.push_back((caller, short)),
            Job::Long(caller, long) => {
                self.running
                    .push_back(Running::new(caller, long, request.place));
            }
            Job::Open(name, reply) => reply.send(self.open(&name)),
        }
    }

    /// Brings one group to the disk: a slice of one long call, then all short calls that wait.
    fn work(&mut self) {
        let mut group = Group::default();
        self.running.retain(|running| !running.is_unwanted());
        let mut unfinished = self.running.pop_front().and_then(|running| {
            let caller = running.caller.clone();
            let mut view = group.view(&caller, &mut self.writer.disk, &self.writer.limits);
            match running.step(&mut view) {
                Step::Unfinished(running) => Some(*running),
                Step::Finished(answer) => {
                    group.answer(answer);
                    None
                }
            }
        });
        while !group.is_full()
            && let Some((caller, short)) = self.waiting.pop_front()
        {
            let mut view = group.view(&caller, &mut self.writer.disk, &self.writer.limits);
            let answer = view.decide(short);
            group.answer(answer);
        }
        let failed = self.commit(&mut group).err();
        for running in self.running.iter_mut().chain(unfinished.as_mut()) {
            running.follow(group.successors(&running.caller.namespace));
        }
        let failed = failed.as_ref().map(Failed::from);
        group.finish(failed.as_ref());
        match (unfinished, failed) {
            (Some(running), None) => self.running.push_back(running),
            (Some(running), Some(failed)) => running.fail(&failed),
            (None, _) => {}
        }
    }

    fn commit(&mut self, group: &mut Group) -> Result<()> {
        let applied = self.writer.disk.check().and_then(|()| group.apply());
        let result = applied.and_then(|changed| {
            if changed && self.flush_due.is_none() {
                self.flush_due = Some(Instant::now() + RELAXED_INTERVAL);
            }
            self.flush_if(self.writer.durability == SledDurability::Sync)
        });
        result.inspect_err(|error| {
            self.writer.failure.set(error);
            self.flush_due = None;
        })
    }

    /// Flushes what was written if it must be now, or is due.
    fn flush_if(&mut self, now: bool) -> Result<()> {
        match self.flush_due {
            Some(due) if now || due <= Instant::now() => {
                self.writer.disk.flush()?;
                self.flush_due = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, name: &str) -> Result<Arc<Namespace>> {
        self.writer.failure.check()?;
        if let Some(namespace) = self.namespaces.get(name) {
            return Ok(Arc::clone(namespace));
        }
        let namespace = Namespace::open(name, &self.writer.db, &mut self.writer.disk)?;
        let namespace = Arc::new(namespace);
        self.namespaces
            .insert(name.to_owned(), Arc::clone(&namespace));
        Ok(namespace)
    }
}
