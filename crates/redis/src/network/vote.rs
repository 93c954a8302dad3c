//! Who the master is, as most sentinels say.

use std::cmp::Reverse;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::Value;
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::time::{Instant, timeout_at};

use super::node::Node;
use super::verdict::verdict;
use crate::options::Host;

/// How long the other sentinels are waited for once one has answered, unless most of them agree before.
const GRACE: Duration = Duration::from_millis(300);

/// The master that most sentinels name; where too few answer, all that are named, the likeliest first. A
/// sentinel that was cut off for a while can name the old master still.
///
/// # Errors
///
/// `Unavailable` where none that answers names one; `Config` where most say that they know no such name, or
/// that the account cannot work.
pub(super) async fn master(
    sentinels: &[Node],
    name: &str,
    patience: Duration,
) -> Outcome<Vec<Host>> {
    let mut asked: FuturesUnordered<_> = sentinels
        .iter()
        .map(|sentinel| named(sentinel, name, patience))
        .collect();
    let mut votes: Vec<(Host, usize)> = Vec::new();
    let mut failures = Vec::new();
    let mut end = Instant::now() + 2 * patience;
    while let Ok(Some(answer)) = timeout_at(end, asked.next()).await {
        match answer {
            Ok(host) => {
                if votes.is_empty() {
                    end = Instant::now() + GRACE.min(patience);
                }
                let is_settled = count(&mut votes, &host) > sentinels.len() / 2;
                if is_settled {
                    return Ok(vec![host]);
                }
            }
            Err(failure) => failures.push(failure),
        }
    }
    votes.sort_by_key(|(_, count)| Reverse(*count));
    if votes.is_empty() {
        let nobody = || Failure::refused(ErrorKind::Unavailable, "no sentinel answers");
        return Err(verdict(sentinels.len(), failures).unwrap_or_else(nobody));
    }
    Ok(votes.into_iter().map(|(host, _)| host).collect())
}

/// Notes a vote, and gives how many the same has.
fn count(votes: &mut Vec<(Host, usize)>, host: &Host) -> usize {
    if let Some((_, count)) = votes.iter_mut().find(|(named, _)| named == host) {
        *count += 1;
        return *count;
    }
    votes.push((host.clone(), 1));
    1
}

/// The master as one sentinel knows it.
async fn named(sentinel: &Node, name: &str, patience: Duration) -> Outcome<Host> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer = sentinel.ask(patience, &command).await?;
    host(&answer).ok_or_else(|| {
        sentinel.named(match answer {
            Value::Nil => {
                let problem = format!("it knows no master {name}");
                Failure::refused(ErrorKind::Config, problem)
            }
            _ => Failure::refused(ErrorKind::Unavailable, "what answers is no sentinel"),
        })
    })
}

/// The host and the port that a sentinel names, if it names any.
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
