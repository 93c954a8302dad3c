//! The way to the servers: which one a command goes to, and what becomes of it there.

mod connection;
mod dial;
mod job;
mod link;
mod node;
mod replies;
mod standalone;
mod tls;
mod unverified;

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use redis::{Cmd, Value};
use tokenkeep_backend::{Call, Cause, Effect, Failure, Outcome, read, write};
use tokenkeep_core::{Error, ErrorKind, Result};

use self::dial::Dialer;
use self::job::Job;
use self::node::Node;
use self::replies::Answer;
use self::standalone::Standalone;
use crate::options::{RedisOptions, Servers};
use crate::script::Script;

/// A hash slot of a Cluster; elsewhere it is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) u16);

/// The servers of one store.
#[derive(Debug)]
pub(crate) struct Network {
    servers: Topology,
}

#[derive(Debug)]
enum Topology {
    Standalone(Standalone),
}

impl Network {
    /// Connects.
    ///
    /// # Errors
    ///
    /// `Config` where the options, the account or the server's settings cannot work; `Unavailable` where
    /// no server can be reached.
    pub(crate) async fn open(options: &RedisOptions) -> Result<Self> {
        let dialer = Arc::new(Dialer::new(
            options.user.as_deref(),
            options.password.as_ref(),
            options.database,
            &options.tls,
            options.timeout,
        ));
        let Servers::Standalone(address) = &options.servers else {
            let problem = "only one server so far";
            return Err(Error::new(ErrorKind::Config, problem));
        };
        let node = Node::new(&dialer, address.clone(), options.connections);
        let servers = Topology::Standalone(Standalone::new(node));
        let network = Self { servers };
        let call = Call::within(options.timeout);
        let command = redis::cmd("PING");
        network
            .command(&call, Effect::Reads, Slot(0), &command)
            .await
            .map_err(|failure| failure.into_error(Effect::Reads))?;
        Ok(network)
    }

    /// Executes a command on one key, to its end or the call's.
    ///
    /// # Behavior
    ///
    /// - Further attempts are made while none can have been applied, with pauses; and one more where a
    ///   read's answer was lost.
    ///
    /// # Errors
    ///
    /// [`Cause::Lost`] where it may have been applied, `Refused` where it surely was not.
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
        let job = Job {
            effect,
            slot,
            command,
            script: None,
        };
        self.execute(call, job).await
    }

    /// Runs a script, to its end or the call's; `key` names its slot.
    ///
    /// # Behavior
    ///
    /// - Further attempts are made as for [`command`](Self::command).
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

    async fn execute(&self, call: &Call, job: Job<'_>) -> Outcome<Value> {
        call.sent();
        // The first attempt, nearly always the only one, needs no memory of its own.
        let first = Call::until(call.deadline());
        match first.bound(self.attempt(&first, job)).await {
            Err(failure) if is_worth_another(&failure, job.effect, call) => {
                self.further(call, job).await
            }
            outcome => outcome,
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
        let answer = match (self.send(call, job).await?, job.script) {
            (Err(error), Some(script)) if replies::is_unknown_script(&error) => {
                let command = job::in_full(script, job.command);
                let command = &command;
                self.send(call, Job { command, ..job }).await?
            }
            (answer, _) => answer,
        };
        answer.map_err(|error| replies::failure(&error))
    }

    async fn send(&self, call: &Call, job: Job<'_>) -> Outcome<Answer> {
        match &self.servers {
            Topology::Standalone(server) => server.send(call, job).await,
        }
    }
}

fn is_worth_another(failure: &Failure, effect: Effect, call: &Call) -> bool {
    match failure.cause {
        Cause::Again => true,
        Cause::Lost => effect == Effect::Reads && Instant::now() < call.deadline(),
        Cause::Refused(_) => false,
    }
}
