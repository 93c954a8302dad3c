//! One server that holds data.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokenkeep_backend::{Call, Cause, Effect, Failure, Outcome};
use tokenkeep_core::ErrorKind;

use super::acknowledgement::Acknowledgement;
use super::asked::Asked;
use super::doubt::Doubt;
use super::durability;
use super::facts::Facts;
use super::lanes::Lanes;
use super::link::Link;
use super::replies::{self, Answer};
use super::terms::Terms;
use crate::options::Address;

/// One server, and the ways to it that all calls share.
#[derive(Debug)]
pub(super) struct Node {
    address: Address,
    terms: Arc<Terms>,
    links: Vec<Link>,
    turn: AtomicUsize,
    lanes: Lanes,
    doubt: Arc<Doubt>,
    /// Whether it was found to write to disk as acknowledged writes have to be.
    asked: Asked,
}

impl Node {
    pub(super) fn new(terms: &Arc<Terms>, address: Address) -> Self {
        let doubt = Arc::default();
        let links = (0..terms.connections)
            .map(|_| Link::new(&terms.dialer, &address, &doubt))
            .collect();
        Self {
            lanes: Lanes::new(&terms.dialer, &address, &doubt),
            doubt,
            address,
            terms: Arc::clone(terms),
            links,
            turn: AtomicUsize::new(0),
            asked: Asked::default(),
        }
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a command and gives its answer; a write's once it is acknowledged.
    pub(super) async fn send(&self, call: &Call, effect: Effect, command: &Cmd) -> Outcome<Answer> {
        if effect == Effect::Writes && self.terms.is_durable {
            let reasons = self.doubt.reasons();
            if !self.asked.is_done(reasons) {
                self.check_durability(call, reasons).await?;
            }
        }
        let answer = match (effect, self.awaited()) {
            (Effect::Writes, Some(awaited)) => self.lanes.send(call, command, awaited).await,
            _ => self.link().send(call, command).await,
        };
        answer.map_err(|failure| self.named(failure))
    }

    /// A server that became a master after the store was opened may write to disk otherwise than those that
    /// were asked then, and so may what stands behind its name after so many reasons for doubt. Nothing is
    /// written to it before it was asked too.
    async fn check_durability(&self, call: &Call, reasons: u64) -> Outcome<()> {
        let asking = self.asked.asking(reasons);
        let check = asking.get_or_try_init(|| async {
            let facts = Facts::of(self, call).await.map_err(untouched)?;
            match durability::broken_promise(&facts, self.awaited()) {
                Some(problem) => Err(Failure::refused(ErrorKind::Config, problem)),
                None => Ok(()),
            }
        });
        check.await.map_err(|failure| self.named(failure))?;
        self.asked.done(reasons);
        call.not_sent();
        Ok(())
    }

    /// Sends a command that reads, and gives its answer if it comes in this time.
    pub(super) async fn ask(&self, bound: Duration, command: &Cmd) -> Outcome<Value> {
        let call = Call::within(bound);
        let answer = call.bound(self.send(&call, Effect::Reads, command)).await;
        answer
            .and_then(|answer| answer.map_err(|error| replies::failure(&error)))
            .map_err(|failure| self.named(failure))
    }

    /// Sends commands together and gives all answers.
    pub(super) async fn send_all(&self, call: &Call, commands: &Pipeline) -> Outcome<Vec<Answer>> {
        let answers = self.link().send_all(call, commands, 0).await;
        answers.map_err(|failure| self.named(failure))
    }

    /// Sends a command that reads from a slot which this server is taking over.
    pub(super) async fn send_asking(&self, call: &Call, command: &Cmd) -> Outcome<Answer> {
        let mut commands = Pipeline::with_capacity(2);
        commands.cmd("ASKING").add_command(command.clone());
        let answers = self.link().send_all(call, &commands, 1).await;
        let nothing = || Failure::lost("the server answered nothing");
        answers
            .and_then(|answers| answers.into_iter().next().ok_or_else(nothing))
            .map_err(|failure| self.named(failure))
    }

    /// What writes wait for beside their answer.
    pub(super) fn awaited(&self) -> Option<Acknowledgement> {
        self.terms.acknowledgement.get().copied()
    }

    /// Whether it may be no master any more.
    pub(super) fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    /// Lets the next calls dial anew; whoever is found then is asked anew too.
    pub(super) fn forget(&self) {
        self.doubt.raise();
        for link in &self.links {
            link.forget();
        }
        self.lanes.forget();
    }

    /// A failure of this server, which says so.
    pub(super) fn named(&self, failure: Failure) -> Failure {
        failure.at(&self.address.to_string())
    }

    /// One of the ways, each in turn.
    fn link(&self) -> &Link {
        match self.links.as_slice() {
            [only] => only,
            links => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                &links[turn % links.len()]
            }
        }
    }
}

/// A failure before anything was written: a lost answer leaves no doubt then.
fn untouched(failure: Failure) -> Failure {
    match failure.cause {
        Cause::Lost => Failure::again(failure.message),
        _ => failure,
    }
}
