//! A master that sentinels watch over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tokenkeep_backend::{Call, Cause, Failure, Outcome};
use tokenkeep_core::ErrorKind;

use super::flight::Flight;
use super::job::Job;
use super::node::Node;
use super::replies::{self, Answer};
use super::terms::Terms;
use crate::options::{Address, Host};

/// A master that sentinels watch over and, when it fails, replace.
///
/// # Behavior
///
/// - Before a connection to the master is made anew, the sentinels are asked who it is, and it is asked
///   whether it is one: an old master that comes back is not taken for the master of today.
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
        };
        Self {
            shared: Arc::new(shared),
            finding: Flight::new(),
        }
    }

    pub(super) async fn send(&self, call: &Call, job: Job<'_>) -> Outcome<Answer> {
        let master = self.master().await?;
        match master.send(call, job.effect, job.command).await {
            Ok(Err(error)) if replies::is_no_master(&error) => {
                self.shared.forget(&master);
                Err(Failure::again(replies::text(&error)))
            }
            Ok(answer) => Ok(answer),
            Err(failure) => match failure.cause {
                // The sentinels may know another before long.
                Cause::Refused(ErrorKind::Unavailable) => Err(Failure::again(failure.message)),
                _ => Err(failure),
            },
        }
    }

    /// The master of now.
    pub(super) async fn master(&self) -> Outcome<Arc<Node>> {
        let known = self.shared.current().clone();
        match known {
            Some(master) if !master.doubt().is_raised() => Ok(master),
            _ => {
                let shared = Arc::clone(&self.shared);
                self.finding.join(async move { shared.find().await }).await
            }
        }
    }
}

impl Shared {
    /// Asks the sentinels in turn.
    async fn find(&self) -> Outcome<Arc<Node>> {
        let mut worst = Failure::refused(ErrorKind::Unavailable, "no sentinel answers");
        for sentinel in &self.sentinels {
            match self.master_by(sentinel).await {
                Ok(master) => {
                    tracing::info!(master = %master.address(), "the sentinels name the master");
                    *self.current() = Some(Arc::clone(&master));
                    return Ok(master);
                }
                Err(failure) if weight(&failure) >= weight(&worst) => worst = failure,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// The master as one sentinel knows it, if that says so too.
    async fn master_by(&self, sentinel: &Node) -> Outcome<Arc<Node>> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let answer = sentinel.ask(self.patience, &command).await?;
        let Some(host) = host(&answer) else {
            let problem = format!("no sentinel that answers knows a master {}", self.name);
            return Err(Failure::refused(ErrorKind::Config, problem));
        };
        let master = Arc::new(Node::new(&self.terms, Address::Tcp(host)));
        let role = master.ask(self.patience, &redis::cmd("ROLE")).await;
        match role.map_err(passing)? {
            Value::Array(parts) if is_text(parts.first(), "master") => Ok(master),
            _ => Err(Failure::again("the sentinels' master is none yet")),
        }
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

/// A master that cannot be reached is replaced before long.
fn passing(failure: Failure) -> Failure {
    match failure.cause {
        Cause::Refused(ErrorKind::Unavailable) | Cause::Lost => Failure::again(failure.message),
        _ => failure,
    }
}

/// How much one sentinel's answer says beside another's: one that has a master to be waited for most,
/// one that cannot be asked least.
const fn weight(failure: &Failure) -> u8 {
    match failure.cause {
        Cause::Again => 2,
        Cause::Refused(ErrorKind::Unavailable) | Cause::Lost => 0,
        Cause::Refused(_) => 1,
    }
}

/// The host and the port that a sentinel names; `None` if it knows no such master.
fn host(answer: &Value) -> Option<Host> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [Value::BulkString(name), Value::BulkString(port)] = parts.as_slice() else {
        return None;
    };
    Some(Host {
        name: String::from_utf8(name.clone()).ok()?,
        port: std::str::from_utf8(port).ok()?.parse().ok()?,
    })
}

fn is_text(value: Option<&Value>, text: &str) -> bool {
    match value {
        Some(Value::BulkString(bytes)) => bytes == text.as_bytes(),
        Some(Value::SimpleString(found)) => found == text,
        _ => false,
    }
}
