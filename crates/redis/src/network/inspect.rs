//! What `check` tells of the servers (R19).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{Clock, Durability, Timestamp};

use super::acknowledgement::Acknowledgement;
use super::durability;
use super::facts::Facts;
use super::node::Node;
use super::{Network, Topology};

/// How far a server's clock may be from ours before it is worth a word.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(1);

/// What the servers say of themselves.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// Name and version, of all if they differ.
    pub(crate) version: String,
    /// Host, port and database of every master.
    pub(crate) location: String,
    /// What an operator should know.
    pub(crate) warnings: Vec<String>,
}

/// One master, and what it said between these two instants.
struct Seen {
    facts: Facts,
    /// What its writes wait for.
    awaited: Option<Acknowledgement>,
    before: Timestamp,
    after: Timestamp,
}

impl Network {
    /// Asks every master at the same time, each in one round trip.
    ///
    /// # Errors
    ///
    /// Those of servers that cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub(crate) async fn inspect(&self, call: &Call, clock: &dyn Clock) -> Outcome<Inspection> {
        let seen = self.seen(call, clock).await?;
        let mut versions: Vec<_> = seen.iter().map(|seen| seen.facts.version()).collect();
        versions.sort_unstable();
        versions.dedup();
        let mut places: Vec<_> = seen.iter().map(|seen| self.place(seen)).collect();
        places.sort_unstable();
        let mut warnings: Vec<_> = seen.iter().flat_map(|seen| self.warnings(seen)).collect();
        if let Topology::Cluster(cluster) = &self.servers
            && !cluster.owns_all()
        {
            warnings.push("some slots of the Cluster have no owner".to_owned());
        }
        Ok(Inspection {
            version: versions.join(", "),
            location: places.join(", "),
            warnings,
        })
    }

    /// Looks at every master; where one does not answer, another may be master by now.
    async fn seen(&self, call: &Call, clock: &dyn Clock) -> Outcome<Vec<Seen>> {
        let left = call.deadline().saturating_duration_since(Instant::now());
        let first = Call::within(left / 2);
        let masters = call.bound(self.servers.known_masters()).await?;
        match look_at(&masters, &first, clock).await {
            Ok(seen) => Ok(seen),
            Err(_) => {
                let masters = call.bound(self.servers.masters()).await?;
                look_at(&masters, call, clock).await
            }
        }
    }

    fn place(&self, seen: &Seen) -> String {
        match self.options.database {
            0 => seen.facts.server.clone(),
            database => format!("{}/{database}", seen.facts.server),
        }
    }

    fn warnings(&self, seen: &Seen) -> Vec<String> {
        let facts = &seen.facts;
        let wanted = u64::from(durability::replicas(&self.options));
        let found = [
            eviction(facts),
            self.persistence(seen),
            left_out(facts),
            clock_difference(seen),
            replicas(facts, wanted),
            guard(facts, wanted),
        ];
        let named = |warning| format!("{}: {warning}", seen.facts.server);
        found.into_iter().flatten().map(named).collect()
    }

    fn persistence(&self, seen: &Seen) -> Option<String> {
        let facts = &seen.facts;
        let has_log = facts.info("aof_enabled") == Some("1");
        let fsync = facts.setting("appendfsync");
        let is_sync = self.options.durability == Durability::Sync && has_log;
        if is_sync && let Some(broken) = durability::broken_promise(facts, seen.awaited) {
            return Some(broken);
        }
        match (self.options.durability, has_log, fsync) {
            (Durability::Sync, true, Some("always")) => None,
            (Durability::Sync, true, _) => Some(
                "appendfsync is not always: writes wait for the disk, but a read may show up to a \
                 second of what is not there yet"
                    .to_owned(),
            ),
            (_, true, Some("always")) => None,
            (_, true, _) => Some("a crash of the server loses up to a second of writes".to_owned()),
            (_, false, _) if facts.setting("save") == Some("") => {
                Some("nothing is kept on disk: a crash of the server loses everything".to_owned())
            }
            (_, false, _) => {
                Some("a crash of the server loses all since its last snapshot".to_owned())
            }
        }
    }
}

async fn look_at(masters: &[Arc<Node>], call: &Call, clock: &dyn Clock) -> Outcome<Vec<Seen>> {
    try_join_all(masters.iter().map(|node| look(node, call, clock))).await
}

async fn look(node: &Node, call: &Call, clock: &dyn Clock) -> Outcome<Seen> {
    let before = clock.now();
    let facts = Facts::of(node, call).await?;
    Ok(Seen {
        facts,
        awaited: node.awaited(),
        before,
        after: clock.now(),
    })
}

/// Full servers may only refuse.
fn eviction(facts: &Facts) -> Option<String> {
    let policy = facts.info("maxmemory_policy")?;
    (policy != "noeviction").then(|| {
        format!("maxmemory-policy {policy} can drop tokens that live; noeviction drops none")
    })
}

/// A server that reads its log, or a replica its master's, executes without a caller who could be told.
fn left_out(facts: &Facts) -> Option<String> {
    let count = facts.number("unexpected_error_replies");
    (count > 0).then(|| {
        format!(
            "{count} commands failed as it did not expect since it was started, perhaps some of its log or its \
             master, so writes may be missing: the account named default needs its rights, even if it is off"
        )
    })
}

/// The server's clock decides no answer, but those who read its log should know.
fn clock_difference(seen: &Seen) -> Option<String> {
    let time = seen.facts.time?;
    let most = i64::try_from(CLOCK_DIFFERENCE.as_micros()).unwrap_or(i64::MAX);
    let early = seen.before.as_micros() - time;
    let late = time - seen.after.as_micros();
    (early.max(late) > most).then(|| {
        let seconds = early.max(late) / 1_000_000;
        format!("its clock is {seconds} s from ours, which changes no answer")
    })
}

fn replicas(facts: &Facts, wanted: u64) -> Option<String> {
    let connected = facts.number("connected_slaves");
    (connected < wanted)
        .then(|| format!("{connected} replicas are connected; replicas={wanted} needs more"))
}

/// What a master that was cut off still takes is lost when it comes back.
fn guard(facts: &Facts, wanted: u64) -> Option<String> {
    let guard = facts.setting("min-replicas-to-write")?;
    (wanted > 0 && guard == "0").then(|| {
        "min-replicas-to-write is 0: a master that is cut off still takes writes that will be lost"
            .to_owned()
    })
}
