//! Writes that wait to be acknowledged, in groups: one wait covers all that came before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline};
use tokenkeep_backend::{Call, Failure, Outcome};
use tokio::sync::oneshot;

use super::acknowledgement::Acknowledgement;
use super::dial::Dialer;
use super::doubt::Doubt;
use super::link::Link;
use super::marker;
use super::queue::{Queue, Write};
use super::replies::Answer;
use crate::options::Address;

/// How many groups wait at the same time. A connection on which one waits does nothing else.
const LANES: usize = 4;

/// How much earlier than the calls a wait ends; a server looks at its clock ten times a second.
const MOST_EARLY: Duration = Duration::from_millis(500);

/// The connections of one server over which writes wait for their acknowledgement, so that reads never
/// wait behind them.
#[derive(Debug)]
pub(super) struct Lanes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    links: Vec<Link>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    writes: Queue,
    idle: Vec<usize>,
}

impl Lanes {
    pub(super) fn new(dialer: &Arc<Dialer>, address: &Address, doubt: &Arc<Doubt>) -> Self {
        let link = |_| Link::new(dialer, address, doubt);
        let links: Vec<_> = (0..LANES).map(link).collect();
        let waiting = Waiting {
            writes: Queue::default(),
            idle: (0..links.len()).collect(),
        };
        Self(Arc::new(Shared {
            links,
            waiting: Mutex::new(waiting),
        }))
    }

    /// Sends a write, and gives its answer once it is acknowledged.
    pub(super) async fn send(
        &self,
        call: &Call,
        command: &Cmd,
        acknowledgement: Acknowledgement,
    ) -> Outcome<Answer> {
        let (done, outcome) = oneshot::channel();
        let (number, idle) = {
            let mut waiting = self.0.waiting();
            let number = waiting
                .writes
                .push(command.clone(), call.deadline(), done)?;
            (number, waiting.idle.pop())
        };
        call.sent();
        let mut entry = Entry {
            shared: &self.0,
            number,
            has_ended: false,
        };
        if let Some(number) = idle {
            let shared = Arc::clone(&self.0);
            let is_idle = false;
            let lane = Lane {
                shared,
                number,
                is_idle,
            };
            tokio::spawn(run(lane, acknowledgement));
        }
        let cut_short = |_| Err(Failure::lost("the program is ending"));
        let outcome = outcome.await.unwrap_or_else(cut_short);
        entry.has_ended = true;
        outcome
    }

    /// Lets the next groups dial anew.
    pub(super) fn forget(&self) {
        for link in &self.0.links {
            link.forget();
        }
    }
}

/// Sends one group after the other, until none waits.
async fn run(mut lane: Lane, acknowledgement: Acknowledgement) {
    while let Some(group) = lane.next_group() {
        lane.execute(group, acknowledgement).await;
    }
}

/// One of the connections, while it is used.
struct Lane {
    shared: Arc<Shared>,
    number: usize,
    is_idle: bool,
}

impl Lane {
    /// What is to be sent now; where there is nothing, the lane is idle from then on.
    fn next_group(&mut self) -> Option<Vec<Write>> {
        let mut waiting = self.shared.waiting();
        let group = waiting.writes.next_group();
        if group.is_empty() {
            waiting.idle.push(self.number);
            self.is_idle = true;
            return None;
        }
        Some(group)
    }

    async fn execute(&self, group: Vec<Write>, acknowledgement: Acknowledgement) {
        let deadline = group.iter().map(|write| write.deadline).max();
        let deadline = deadline.unwrap_or_else(Instant::now);
        let (commands, waiting): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|write| (write.command, write.done))
            .unzip();
        let outcomes = self.outcomes(commands, acknowledgement, deadline).await;
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(failure) => vec![Err(failure); waiting.len()],
        };
        for (done, outcome) in waiting.into_iter().zip(outcomes) {
            // Nobody may be waiting any more.
            let _ = done.send(outcome);
        }
    }

    /// One round trip for all: the writes, a marker behind them, then the wait.
    async fn outcomes(
        &self,
        writes: Vec<Cmd>,
        acknowledgement: Acknowledgement,
        deadline: Instant,
    ) -> Outcome<Vec<Outcome<Answer>>> {
        let mut commands = Pipeline::with_capacity(writes.len() + 2);
        let marker = writes.iter().find_map(marker::beside);
        for write in writes {
            commands.add_command(write);
        }
        let (mut answers, mut acknowledged) = self
            .acknowledged(&mut commands, marker, acknowledgement, deadline)
            .await?;
        if matches!(acknowledged, Acknowledged::Unmarked) {
            // Its slot may be on its way, but the others' are not.
            let executed = commands.cmd_iter().zip(&answers);
            let mut executed = executed.filter(|(_, answer)| answer.is_ok());
            let marker = executed.find_map(|(write, _)| marker::beside(write));
            let mut alone = Pipeline::with_capacity(2);
            (_, acknowledged) = self
                .acknowledged(&mut alone, marker, acknowledgement, deadline)
                .await?;
        }
        let outcome = |answer: Answer| match (&answer, acknowledged.check()) {
            // What was done may be lost; what was refused was not done.
            (Ok(_), Err(failure)) => Err(failure),
            _ => Ok(answer),
        };
        Ok(answers.drain(..).map(outcome).collect())
    }

    /// Sends these, and gives their answers, and whether what they rest on is where it has to be.
    async fn acknowledged(
        &self,
        commands: &mut Pipeline,
        marker: Option<Cmd>,
        acknowledgement: Acknowledgement,
        deadline: Instant,
    ) -> Outcome<(Vec<Answer>, Acknowledged)> {
        let is_marked = marker.is_some();
        if let Some(marker) = marker {
            commands.add_command(marker);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        // A little earlier than the calls end, so that they can be told what was missing.
        let bound = left.saturating_sub((left / 4).min(MOST_EARLY));
        commands.add_command(acknowledgement.command(bound));
        let call = Call::until(deadline);
        let sending = self.shared.links[self.number].send_all(&call, commands, 0);
        let mut answers = call.bound(sending).await?;
        let waited = answers.pop();
        let marked = is_marked.then(|| answers.pop()).flatten();
        let acknowledged = match (waited, marked) {
            (None, _) => Acknowledged::Not(Failure::lost("the server answered nothing")),
            (Some(_), Some(Err(_))) => Acknowledged::Unmarked,
            (Some(waited), _) => match acknowledgement.check(&waited) {
                Ok(()) => Acknowledged::All,
                Err(failure) => Acknowledged::Not(failure),
            },
        };
        Ok((answers, acknowledged))
    }
}

/// What a wait has shown.
enum Acknowledged {
    All,
    Not(Failure),
    /// Nothing: the marker was refused.
    Unmarked,
}

impl Acknowledged {
    fn check(&self) -> Outcome<()> {
        match self {
            Self::All => Ok(()),
            Self::Not(failure) => Err(failure.clone()),
            Self::Unmarked => {
                let problem = "what the answer rests on could not be waited for";
                Err(Failure::lost(problem))
            }
        }
    }
}

/// Another may use the connection, however the work over it ended.
impl Drop for Lane {
    fn drop(&mut self) {
        if !self.is_idle {
            self.shared.waiting().idle.push(self.number);
        }
    }
}

/// A write whose caller waits.
struct Entry<'a> {
    shared: &'a Shared,
    number: u64,
    has_ended: bool,
}

/// Whoever gave up is not waited for, and what was not sent is not sent any more.
impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.shared.waiting().writes.remove(self.number);
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
