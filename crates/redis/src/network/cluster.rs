//! A Cluster: slots, their owners, and who is asked for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::{Cmd, ServerError};
use tokenkeep_backend::{Call, Cause, Effect, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::time::{Instant, sleep_until};

use super::Slot;
use super::flight::Flight;
use super::job::Job;
use super::node::Node;
use super::owners::Owners;
use super::replies::{self, Answer, Refusal};
use super::slots;
use super::terms::Terms;
use super::verdict::verdict;
use crate::options::{Address, Host};

/// How often one attempt is sent on before it waits a little.
const MOST_REDIRECTIONS: usize = 5;

/// The least time between two times that the nodes are asked on account of calls that fail, however many do.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// A Cluster.
///
/// # Behavior
///
/// - Each slot's owner is known; a node that says otherwise is believed for this slot, and all owners are
///   asked for again.
/// - A node that cannot be reached holds up nobody but those who need it.
#[derive(Debug)]
pub(super) struct Cluster {
    shared: Arc<Shared>,
    asking: Flight<()>,
}

#[derive(Debug)]
struct Shared {
    seeds: Vec<Host>,
    owners: Mutex<Owners>,
    /// How long a node may take to say who owns what.
    patience: Duration,
    /// When the nodes were asked last.
    looked: Mutex<Option<Instant>>,
}

impl Cluster {
    pub(super) fn new(terms: &Arc<Terms>, seeds: &[Host], patience: Duration) -> Self {
        let shared = Shared {
            seeds: seeds.to_vec(),
            owners: Mutex::new(Owners::new(terms)),
            patience,
            looked: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
            asking: Flight::new(),
        }
    }

    pub(super) async fn send(&self, call: &Call, job: Job<'_>) -> Outcome<Answer> {
        let mut node = self.owner(job.slot).await?;
        let mut refusal = None;
        for _ in 0..MOST_REDIRECTIONS {
            let error = match node.send(call, job.awaited_as(), job.command).await {
                Ok(Ok(value)) => return Ok(Ok(value)),
                Ok(Err(error)) => error,
                Err(failure) => return Err(self.unreachable(failure, &node).await),
            };
            call.not_sent();
            let next = match error.code() {
                "MOVED" => match self.believe(job.slot, &error, &node) {
                    Some(owner) => owner,
                    None => return Err(self.again(&error).await),
                },
                "ASK" => return self.ask(call, job, &error, &node).await,
                "CLUSTERDOWN" | "MASTERDOWN" | "READONLY" => return Err(self.again(&error).await),
                _ => return Ok(Err(error)),
            };
            node = next;
            refusal = Some(error);
        }
        let told = refusal.map(|error| replies::failure(&error).message);
        let problem = format!(
            "the slot's owner is not settled: {}",
            told.unwrap_or_default()
        );
        Err(Failure::again(problem))
    }

    /// All owners of slots, each once.
    pub(super) async fn masters(&self) -> Outcome<Vec<Arc<Node>>> {
        self.refresh().await?;
        Ok(self.shared.owners().masters())
    }

    /// The same as far as they are known and none is in doubt.
    pub(super) async fn known_masters(&self) -> Outcome<Vec<Arc<Node>>> {
        let masters = self.shared.owners().masters();
        let is_doubtful = masters.iter().any(|master| master.doubt().is_raised());
        match masters.is_empty() || is_doubtful {
            true => self.masters().await,
            false => Ok(masters),
        }
    }

    /// The owner of a slot as it is known.
    pub(super) fn known(&self, slot: Slot) -> Option<Arc<Node>> {
        self.shared.owners().of(slot)
    }

    /// Whether every slot has an owner.
    pub(super) fn owns_all(&self) -> bool {
        self.shared.owners().owns_all()
    }

    /// Asks any node who owns what, again where it just was asked.
    ///
    /// # Errors
    ///
    /// `Unavailable` where none answers; what is to be waited for where one says so, as that it knows of no
    /// slots; `Config` where most of those asked are no nodes of a Cluster, or refuse the account.
    async fn refresh(&self) -> Outcome<()> {
        let shared = Arc::clone(&self.shared);
        self.asking
            .join(async move { shared.refresh().await })
            .await
    }

    /// The same on account of a call that failed: a moment later where it just was asked.
    fn refresh_in_turn(&self) -> impl Future<Output = Outcome<()>> + use<> {
        let shared = Arc::clone(&self.shared);
        self.asking.join(async move {
            shared.pause().await;
            shared.refresh().await
        })
    }

    /// Follows a slot that is on its way, for a key that is alone. A script is not sent on: its keys may
    /// lie on both sides, and there a key that has not come yet would be taken for absent.
    async fn ask(
        &self,
        call: &Call,
        job: Job<'_>,
        error: &ServerError,
        asked: &Node,
    ) -> Outcome<Answer> {
        let target = self.named(error, asked);
        match (job.effect, job.script, target) {
            (Effect::Reads, None, Some(target)) => target.send_asking(call, job.command).await,
            _ => Err(Failure::again("the slot is on its way to another node")),
        }
    }

    /// The owner as it is known; one in doubt only if nobody knows another.
    async fn owner(&self, slot: Slot) -> Outcome<Arc<Node>> {
        let refreshed = match self.known(slot) {
            Some(owner) if !owner.doubt().is_raised() => return Ok(owner),
            Some(owner) => self
                .refresh_in_turn()
                .await
                .or(Ok(()))
                .map(|()| Some(owner)),
            None => self.refresh_in_turn().await.map(|()| None),
        };
        let before = refreshed?;
        let none = || Failure::again("no node owns the slot");
        self.known(slot).or(before).ok_or_else(none)
    }

    /// Notes who owns a slot, and learns of the others beside.
    fn believe(&self, slot: Slot, error: &ServerError, asked: &Node) -> Option<Arc<Node>> {
        let owner = self.named(error, asked)?;
        self.shared.owners().set(slot, &owner);
        drop(self.refresh_in_turn());
        Some(owner)
    }

    fn named(&self, error: &ServerError, asked: &Node) -> Option<Arc<Node>> {
        let host = slots::redirection(error.details()?, name_of(asked))?;
        Some(self.shared.owners().node(&host))
    }

    /// The owners are asked for again before the next attempt.
    async fn again(&self, refusal: &Refusal) -> Failure {
        // Whether they were found shows in that attempt.
        let _ = self.refresh_in_turn().await;
        Failure::again(replies::failure(refusal).message)
    }

    /// A node that cannot be reached may have lost its slots to another.
    async fn unreachable(&self, failure: Failure, node: &Node) -> Failure {
        if !node.doubt().is_raised() {
            return failure;
        }
        let asking = self.refresh_in_turn();
        match failure.cause {
            Cause::Refused(ErrorKind::Unavailable) => match asking.await {
                Ok(()) => Failure::again(failure.message),
                Err(_) => failure,
            },
            _ => failure,
        }
    }
}

impl Shared {
    /// Takes the first answer that makes sense, and settles the doubts there were before.
    async fn refresh(&self) -> Outcome<()> {
        let doubts = self.owners().doubts();
        let looked = self.look().await;
        *self.looked() = Some(Instant::now());
        looked?;
        for (node, reasons) in doubts {
            node.doubt().settle(reasons);
        }
        Ok(())
    }

    /// Waits where the nodes were asked a moment ago.
    async fn pause(&self) {
        let looked = *self.looked();
        if let Some(looked) = looked {
            sleep_until(looked + LEAST_PAUSE).await;
        }
    }

    /// Asks the nodes that own slots, or else also those in doubt and the seeds.
    async fn look(&self) -> Outcome<()> {
        let known = self.owners().known();
        let (doubtful, sure): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|node| node.doubt().is_raised());
        if self.ask(&sure).await.is_ok() {
            return Ok(());
        }
        let mut others: Vec<_> = {
            let mut owners = self.owners();
            self.seeds.iter().map(|seed| owners.node(seed)).collect()
        };
        others.extend(doubtful);
        self.ask(&others).await
    }

    /// Asks all of them at once.
    async fn ask(&self, nodes: &[Arc<Node>]) -> Outcome<()> {
        let mut answers: FuturesUnordered<_> = nodes.iter().map(|node| self.ranges(node)).collect();
        let mut failures = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(ranges) => {
                    self.owners().replace(&ranges);
                    return Ok(());
                }
                Err(failure) => failures.push(failure),
            }
        }
        let problem = "no node of the Cluster answers";
        let nobody = || Failure::refused(ErrorKind::Unavailable, problem);
        Err(verdict(nodes.len(), failures).unwrap_or_else(nobody))
    }

    async fn ranges(&self, node: &Node) -> Outcome<Vec<slots::Range>> {
        let answer = node.ask(self.patience, &slots_command()).await?;
        match slots::ranges(&answer, name_of(node)) {
            Some(ranges) if !ranges.is_empty() => Ok(ranges),
            _ => Err(node.named(Failure::again("the node knows of no slots"))),
        }
    }

    fn looked(&self) -> MutexGuard<'_, Option<Instant>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slots_command() -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    command
}

/// The name under which a node was asked; one without a name of its own has the same.
fn name_of(node: &Node) -> &str {
    match node.address() {
        Address::Tcp(host) => &host.name,
        Address::Unix(_) => "localhost",
    }
}
