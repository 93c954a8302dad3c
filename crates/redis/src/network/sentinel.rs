//! A master that sentinels watch over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::Value;
use tokenkeep_backend::{Call, Cause, Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::time::sleep;

use super::flight::Flight;
use super::job::Job;
use super::node::Node;
use super::replies::{self, Answer};
use super::terms::Terms;
use super::vote;
use crate::options::Address;

/// The sentinels are asked again beside the calls.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// The least time between two times that the sentinels are asked, however many calls fail meanwhile.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// The sentinels are asked before a call.
const AWAITED: Duration = Duration::from_millis(1_500);

/// A master that sentinels watch over and, when it fails, replace.
///
/// # Behavior
///
/// - Before a connection to the master is made anew, the sentinels are asked who it is, and it is asked
///   whether it is one: an old master that comes back is not taken for the master of today.
/// - While it is used the sentinels are asked again each second; after a pause they are asked first. What
///   most of them say counts; where they name none, the master that is known and not in doubt serves on.
#[derive(Debug)]
pub(super) struct Sentinel {
    shared: Arc<Shared>,
    finding: Flight<Arc<Node>>,
}

#[derive(Debug)]
struct Shared {
    terms: Arc<Terms>,
    sentinels: Vec<Node>,
    name: String,
    /// How long each of them may take to answer.
    patience: Duration,
    master: Mutex<Option<Arc<Node>>>,
    began: Instant,
    /// When the sentinels were asked, in milliseconds since it began; 0 if they never were.
    looked: AtomicU64,
}

impl Sentinel {
    pub(super) fn new(
        terms: &Arc<Terms>,
        sentinels: Vec<Node>,
        name: &str,
        patience: Duration,
    ) -> Self {
        let shared = Shared {
            terms: Arc::clone(terms),
            sentinels,
            name: name.to_owned(),
            patience,
            master: Mutex::new(None),
            began: Instant::now(),
            looked: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
            finding: Flight::new(),
        }
    }

    pub(super) async fn send(&self, call: &Call, job: Job<'_>) -> Outcome<Answer> {
        let master = self.master().await?;
        match master.send(call, job.awaited_as(), job.command).await {
            Ok(Err(error)) if replies::is_no_master(&error) => {
                self.shared.forget(&master);
                Err(Failure::again(replies::failure(&error).message))
            }
            Ok(answer) => Ok(answer),
            Err(failure) => match failure.cause {
                // The sentinels may know another before long.
                Cause::Refused(ErrorKind::Unavailable) => Err(Failure::again(failure.message)),
                _ => Err(failure),
            },
        }
    }

    /// The master of now: one that is not in doubt, and of which the sentinels were asked a moment ago.
    pub(super) async fn master(&self) -> Outcome<Arc<Node>> {
        let Some(master) = self.known().filter(is_sure) else {
            return self.find().await;
        };
        let age = self.shared.age();
        if age < ASKED_AGAIN {
            return Ok(master);
        }
        let asking = self.find();
        if age < AWAITED {
            return Ok(master);
        }
        // It was idle, and missed whatever happened meanwhile.
        asking.await
    }

    /// The master as it is known.
    pub(super) fn known(&self) -> Option<Arc<Node>> {
        self.shared.current().clone()
    }

    fn find(&self) -> impl Future<Output = Outcome<Arc<Node>>> + use<> {
        let shared = Arc::clone(&self.shared);
        self.finding.join(async move { shared.find().await })
    }
}

impl Shared {
    /// Asks the sentinels, and the master that they name, but not at once where they just were asked.
    async fn find(&self) -> Outcome<Arc<Node>> {
        if self.looked.load(Ordering::Relaxed) > 0 {
            sleep(LEAST_PAUSE.saturating_sub(self.age())).await;
        }
        let outcome = self.look().await;
        self.looked.store(self.now().max(1), Ordering::Relaxed);
        outcome
    }

    async fn look(&self) -> Outcome<Arc<Node>> {
        let known = self.current().clone();
        let reasons = known.as_ref().map(|known| known.doubt().reasons());
        let named = match vote::master(&self.sentinels, &self.name, self.patience).await {
            Ok(named) => named,
            // Nobody knows another.
            Err(failure) => return known.filter(is_sure).ok_or(failure),
        };
        let mut outcome = Err(Failure::again("the sentinels name no master"));
        for host in named {
            let address = Address::Tcp(host);
            let known = known.as_ref().filter(|known| *known.address() == address);
            outcome = match known {
                Some(known) if is_sure(known) => Ok(Arc::clone(known)),
                Some(known) => self.asked(Arc::clone(known)).await,
                None => self.asked(Arc::new(Node::new(&self.terms, address))).await,
            };
            if let Ok(master) = &outcome {
                match (known, reasons) {
                    (Some(known), Some(reasons)) => known.doubt().settle(reasons),
                    _ => {
                        tracing::info!(master = %master.address(), "the sentinels name the master")
                    }
                }
                *self.current() = Some(Arc::clone(master));
                break;
            }
        }
        outcome
    }

    /// The master as the sentinels know it, if that says so too.
    async fn asked(&self, master: Arc<Node>) -> Outcome<Arc<Node>> {
        let role = master.ask(self.patience, &redis::cmd("ROLE")).await;
        match role.map_err(passing)? {
            Value::Array(parts) if is_text(parts.first(), "master") => Ok(master),
            _ => Err(master.named(Failure::again("the sentinels' master is none yet"))),
        }
    }

    /// How long ago the sentinels were asked.
    fn age(&self) -> Duration {
        let looked = self.looked.load(Ordering::Relaxed);
        Duration::from_millis(self.now().saturating_sub(looked))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Asks the sentinels before the next call.
    fn forget(&self, master: &Arc<Node>) {
        let mut current = self.current();
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, master))
        {
            *current = None;
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Node>>> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_sure(master: &Arc<Node>) -> bool {
    !master.doubt().is_raised()
}

/// A master that cannot be reached is replaced before long.
fn passing(failure: Failure) -> Failure {
    match failure.cause {
        Cause::Refused(ErrorKind::Unavailable) | Cause::Lost => Failure::again(failure.message),
        _ => failure,
    }
}

fn is_text(value: Option<&Value>, text: &str) -> bool {
    match value {
        Some(Value::BulkString(bytes)) => bytes == text.as_bytes(),
        Some(Value::SimpleString(found)) => found == text,
        _ => false,
    }
}
