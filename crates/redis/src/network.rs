//! The way to the servers: which one a command goes to, and what becomes of it there.

mod acknowledgement;
mod asked;
mod cluster;
mod connection;
mod dial;
mod doubt;
mod durability;
mod facts;
mod flight;
mod greeting;
mod inspect;
mod job;
mod lanes;
mod link;
mod marker;
mod node;
mod open;
mod owners;
mod queue;
mod replies;
mod sentinel;
mod silence;
mod slots;
mod standalone;
mod terms;
#[cfg(test)]
mod tests;
mod tls;
mod topology;
mod unverified;
mod verdict;
mod vote;

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use redis::{Cmd, Value};
use tokenkeep_backend::{Call, Cause, Effect, Failure, NO_ANSWER, Outcome, read, write};
use tokenkeep_core::Result;

use self::job::Job;
use self::node::Node;
use self::topology::Topology;
use crate::options::RedisOptions;
use crate::script::Script;

/// A hash slot of a Cluster; elsewhere it is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) u16);

/// The servers of one store.
#[derive(Debug)]
pub(crate) struct Network {
    options: RedisOptions,
    servers: Topology,
}

impl Network {
    /// Connects, and asks the servers whether they offer what the options ask for.
    ///
    /// # Errors
    ///
    /// `Config` where the options, the account or the servers' settings cannot work; `Unavailable` where
    /// no server can be reached.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub(crate) async fn open(options: &RedisOptions) -> Result<Self> {
        open::open(options)
            .await
            .map_err(|failure| failure.into_error(Effect::Reads))
    }

    /// Executes a command on one key, to its end or the call's.
    ///
    /// # Behavior
    ///
    /// - Further attempts are made while none can have been applied, with pauses; and one more where a
    ///   read's answer was lost.
    /// - A write ends when it is acknowledged as the options ask.
    ///
    /// # Errors
    ///
    /// [`Cause::Lost`] where it may have been applied, `Refused` or [`Cause::Again`] where it surely was
    /// not.
    ///
    /// # Cancel safety
    ///
    /// The command is executed or not.
    pub(crate) async fn command(
        &self,
        call: &Call,
        effect: Effect,
        slot: Slot,
        command: &Cmd,
    ) -> Outcome<Value> {
        let script = None;
        let job = Job {
            effect,
            slot,
            command,
            script,
        };
        self.execute(call, job).await
    }

    /// Runs a script, to its end or the call's; `key` names its slot.
    ///
    /// # Behavior
    ///
    /// - Further attempts are made, and writes acknowledged, as for [`command`](Self::command).
    /// - No script runs in a slot that is on its way to another server: it waits.
    ///
    /// # Errors
    ///
    /// As for [`command`](Self::command).
    ///
    /// # Cancel safety
    ///
    /// The script has run or not.
    pub(crate) async fn script(
        &self,
        call: &Call,
        effect: Effect,
        slot: Slot,
        script: &Script,
        key: &[u8],
        arguments: &[&[u8]],
    ) -> Outcome<Value> {
        let command = job::by_hash(script, key, arguments);
        let job = Job {
            effect,
            slot,
            command: &command,
            script: Some(script),
        };
        self.execute(call, job).await
    }

    /// Every master, each once.
    ///
    /// # Errors
    ///
    /// Those of servers that cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub(crate) async fn masters(&self, call: &Call) -> Outcome<Vec<Master>> {
        let masters = call.bound(self.servers.masters()).await?;
        Ok(masters.into_iter().map(Master).collect())
    }

    async fn execute(&self, call: &Call, job: Job<'_>) -> Outcome<Value> {
        // What is bounded by the caller's call too must not pass for never sent.
        call.sent();
        // The first attempt, nearly always the only one, needs no memory of its own.
        let first = Call::until(call.deadline());
        let outcome = match first.bound(self.attempt(&first, job)).await {
            Err(failure) if is_worth_another(&failure, job.effect, call) => {
                self.further(call, job).await
            }
            outcome => outcome,
        };
        outcome.map_err(|failure| self.named(failure, job.slot))
    }

    /// A call that was cut off could not be told by the server it waited for which one that is.
    fn named(&self, failure: Failure, slot: Slot) -> Failure {
        if *failure.message != *NO_ANSWER {
            return failure;
        }
        match self.servers.known(slot) {
            Some(node) => node.named(failure),
            None => failure,
        }
    }

    async fn further(&self, call: &Call, job: Job<'_>) -> Outcome<Value> {
        let further = Call::until(call.deadline());
        let work = || self.attempt(&further, job).boxed();
        match job.effect {
            Effect::Reads => read(&further, work).await,
            Effect::Writes => write(&further, work).await,
        }
    }

    async fn attempt(&self, call: &Call, job: Job<'_>) -> Outcome<Value> {
        let answer = match (self.servers.send(call, job).await?, job.script) {
            (Err(error), Some(script)) if replies::is_unknown_script(&error) => {
                let command = job::in_full(script, job.command);
                let command = &command;
                call.not_sent();
                self.servers.send(call, Job { command, ..job }).await?
            }
            (answer, _) => answer,
        };
        answer.map_err(|error| replies::failure(&error))
    }
}

/// Without time for another what was heard is told.
fn is_worth_another(failure: &Failure, effect: Effect, call: &Call) -> bool {
    let is_open = match failure.cause {
        Cause::Again => true,
        Cause::Lost => effect == Effect::Reads,
        Cause::Refused(_) => false,
    };
    is_open && Instant::now() < call.deadline()
}

/// One master, to be asked by itself.
#[derive(Debug)]
pub(crate) struct Master(Arc<Node>);

impl Master {
    /// Executes a command on this server and on no other.
    ///
    /// # Errors
    ///
    /// As for [`Network::command`].
    ///
    /// # Cancel safety
    ///
    /// The command is executed or not.
    pub(crate) async fn command(
        &self,
        call: &Call,
        effect: Effect,
        command: &Cmd,
    ) -> Outcome<Value> {
        let inner = Call::until(call.deadline());
        call.sent();
        let answer = inner.bound(self.0.send(&inner, effect, command)).await;
        let answer = answer.map_err(|failure| self.0.named(failure))?;
        answer.map_err(|error| replies::failure(&error))
    }
}
