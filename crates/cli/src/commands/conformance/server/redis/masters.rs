//! The servers that hold the keys.

use std::collections::BTreeSet;

use redis::aio::MultiplexedConnection;
use redis::{Value, cmd, from_redis_value};
use tokenkeep::{Error, ErrorKind, Result};

use super::{ask, dial};
use crate::commands::conformance::server::target::Target;
use crate::commands::conformance::server::unusable;

/// Connects to each server that holds keys of the store.
pub(super) async fn connect(target: &Target) -> Result<Vec<MultiplexedConnection>> {
    let places = match target.scheme() {
        "redis+sentinel" => vec![first(target, of_sentinel).await?],
        "redis+cluster" => first(target, of_cluster).await?,
        _ => {
            let (host, port) = target.host();
            vec![(host.to_owned(), port)]
        }
    };
    let mut masters = Vec::new();
    for (host, port) in places {
        masters.push(dial::server(target, (&host, port)).await?);
    }
    Ok(masters)
}

/// What the first of the target's hosts says that says anything.
async fn first<T>(target: &Target, of: impl AsyncFn(&Target, &str, u16) -> Result<T>) -> Result<T> {
    let usual = target.usual_port();
    let mut problem = nothing("no host");
    for (host, port) in &target.servers.hosts {
        match of(target, host, port.unwrap_or(usual)).await {
            Ok(answer) => return Ok(answer),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

async fn of_sentinel(target: &Target, host: &str, port: u16) -> Result<(String, u16)> {
    let mut sentinel = dial::sentinel(target, host, port).await?;
    let master = target.servers.path.first().map_or("", String::as_str);
    let mut question = cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let answer: Option<(String, u16)> = ask(&mut sentinel, &question).await?;
    answer.ok_or_else(|| nothing("the sentinel knows no such master"))
}

/// The masters among the nodes of a Cluster.
async fn of_cluster(target: &Target, host: &str, port: u16) -> Result<Vec<(String, u16)>> {
    let mut node = dial::server(target, (host, port)).await?;
    let ranges: Vec<Vec<Value>> = ask(&mut node, cmd("CLUSTER").arg("SLOTS")).await?;
    let mut masters = BTreeSet::new();
    for range in ranges {
        // First and last slot, then the master, then its replicas.
        let master = range.into_iter().nth(2).unwrap_or(Value::Nil);
        let Value::Array(master) = master else {
            return Err(nothing("the node names no master"));
        };
        let [name, at, ..] = master.as_slice() else {
            return Err(nothing("the node names no master"));
        };
        let name: Option<String> = from_redis_value(name.clone()).map_err(unusable)?;
        let at = from_redis_value(at.clone()).map_err(unusable)?;
        // A node without an address of its own is where it was asked.
        let name = name.filter(|name| !name.is_empty());
        masters.insert((name.unwrap_or_else(|| host.to_owned()), at));
    }
    Ok(masters.into_iter().collect())
}

fn nothing(problem: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, problem)
}
