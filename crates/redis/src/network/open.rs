//! Connecting, and what is asked before the first call.

mod patience;

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use tokenkeep_backend::{Call, Cause, Failure, Outcome};
use tokenkeep_core::{Durability, ErrorKind};
use zeroize::Zeroizing;

use self::patience::{earlier, patiently};
use super::Network;
use super::cluster::Cluster;
use super::dial::Dialer;
use super::durability;
use super::facts::Facts;
use super::node::Node;
use super::sentinel::Sentinel;
use super::standalone::Standalone;
use super::terms::Terms;
use super::topology::Topology;
use crate::options::{Address, Host, RedisOptions, SentinelServers, Servers};

/// A connection that takes longer than this is not waited for where another server may be the one to ask.
const MOST_PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn open(options: &RedisOptions) -> Outcome<Network> {
    check_options(options).await?;
    let patience = (options.timeout / 4).min(MOST_PATIENCE);
    let bound = match &options.servers {
        Servers::Standalone(_) => earlier(options.timeout),
        Servers::Sentinel(_) | Servers::Cluster(_) => earlier(patience),
    };
    let dialer = dialer(
        options,
        options.user.as_deref(),
        options.password.as_ref(),
        options.database,
        bound,
    );
    let is_durable = options.durability == Durability::Sync;
    let terms = Terms::new(dialer, options.connections, is_durable);
    let servers = match &options.servers {
        Servers::Standalone(address) => {
            Topology::Standalone(Standalone::new(Node::new(&terms, address.clone())))
        }
        Servers::Sentinel(sentinels) => {
            let nodes = watchers(options, sentinels, patience);
            let name = &sentinels.master;
            Topology::Sentinel(Sentinel::new(&terms, nodes, name, patience))
        }
        Servers::Cluster(seeds) => Topology::Cluster(Cluster::new(&terms, seeds, patience)),
    };
    let call = Call::within(options.timeout);
    // One server by itself has all the time there is.
    let most = match &options.servers {
        Servers::Standalone(_) => options.timeout,
        Servers::Sentinel(_) | Servers::Cluster(_) => patience,
    };
    let facts = patiently(&call, || facts_of(&servers, &call, most).boxed()).await?;
    for facts in &facts {
        check_server(options, facts).map_err(|failure| failure.at(&facts.server))?;
    }
    check_replicas(options, &facts)?;
    if let Some(acknowledgement) = durability::acknowledgement(options, &facts)? {
        // It is set once, here.
        let _ = terms.acknowledgement.set(acknowledgement);
    }
    let options = options.clone();
    Ok(Network { options, servers })
}

/// Refuses what cannot work, before the first connection.
async fn check_options(options: &RedisOptions) -> Outcome<()> {
    let hosts: Vec<String> = match &options.servers {
        Servers::Standalone(Address::Unix(path)) => vec![path.display().to_string()],
        Servers::Standalone(Address::Tcp(host)) => vec![host.name.clone()],
        Servers::Sentinel(servers) => names(&servers.sentinels),
        Servers::Cluster(seeds) => names(seeds),
    };
    if hosts.is_empty() {
        return Err(unusable("no server is named"));
    }
    if matches!(options.servers, Servers::Cluster(_)) && options.database != 0 {
        return Err(unusable("database is always 0 on a Cluster"));
    }
    let tls = options.tls.clone();
    let check = move || hosts.iter().try_for_each(|host| tls.check(host));
    // It reads files.
    match tokio::task::spawn_blocking(check).await {
        Ok(checked) => checked.map_err(|error| Failure::refused(error.kind(), error.message())),
        Err(_) => Err(unusable("the program is ending")),
    }
}

fn names(hosts: &[Host]) -> Vec<String> {
    hosts.iter().map(|host| host.name.clone()).collect()
}

fn dialer(
    options: &RedisOptions,
    user: Option<&str>,
    password: Option<&Zeroizing<String>>,
    database: u32,
    bound: Duration,
) -> Dialer {
    Dialer::new(user, password, database, &options.tls, bound)
}

/// The sentinels, which have accounts of their own and no databases.
fn watchers(options: &RedisOptions, servers: &SentinelServers, patience: Duration) -> Vec<Node> {
    let (user, password) = (servers.user.as_deref(), servers.password.as_ref());
    let dialer = dialer(options, user, password, 0, earlier(patience));
    let terms = Terms::new(dialer, 1, false);
    let addresses = servers.sentinels.iter().cloned().map(Address::Tcp);
    addresses
        .map(|address| Node::new(&terms, address))
        .collect()
}

fn check_server(options: &RedisOptions, facts: &Facts) -> Outcome<()> {
    if !facts.is_at_least(7, 0) {
        let version = facts.version();
        return Err(unusable(&format!(
            "{version} is too old: Redis 7.0 or Valkey is needed"
        )));
    }
    if !matches!(options.servers, Servers::Standalone(_)) {
        return Ok(());
    }
    let mode = facts
        .info("redis_mode")
        .or_else(|| facts.info("server_mode"));
    match (mode, facts.info("role")) {
        (Some("cluster"), _) => Err(unusable(
            "the server is a node of a Cluster, whose URL begins with redis+cluster:",
        )),
        (Some("sentinel"), _) => Err(unusable(
            "the server is a sentinel, whose URL begins with redis+sentinel:",
        )),
        (_, Some("slave")) => Err(unusable("the server is a replica; its master is needed")),
        _ => Ok(()),
    }
}

/// What the masters say that answer within this time. A Cluster serves on without one of them, and so do we;
/// where none answers, another server may take over before long.
async fn facts_of(servers: &Topology, call: &Call, most: Duration) -> Outcome<Vec<Facts>> {
    let masters = servers.masters().await?;
    let left = call.deadline().saturating_duration_since(Instant::now());
    let look = Call::within(most.min(left));
    let all = join_all(masters.iter().map(|master| Facts::of(master, &look))).await;
    let mut known = Vec::new();
    let mut passing = None;
    for facts in all {
        match facts {
            Ok(facts) => known.push(facts),
            Err(failure) if is_passing(&failure) => passing = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    match (passing, servers) {
        (None, _) => Ok(known),
        (Some(_), _) if !known.is_empty() => Ok(known),
        (Some(failure), Topology::Standalone(_)) => Err(failure),
        (Some(failure), _) => Err(Failure::again(failure.message)),
    }
}

fn is_passing(failure: &Failure) -> bool {
    match failure.cause {
        Cause::Refused(kind) => kind == ErrorKind::Unavailable,
        Cause::Again | Cause::Lost => true,
    }
}

/// Without any replica each write would be in doubt. Where another server may take over there is one before
/// long, if there should be, and `check` warns until then; one server by itself has what it has.
fn check_replicas(options: &RedisOptions, masters: &[Facts]) -> Outcome<()> {
    let wanted = match &options.servers {
        Servers::Standalone(_) => durability::replicas(options),
        Servers::Sentinel(_) | Servers::Cluster(_) => 0,
    };
    let lacking = |facts: &&Facts| wanted > 0 && facts.number("connected_slaves") == 0;
    match masters.iter().find(lacking) {
        Some(facts) => {
            let problem = format!(
                "replicas={wanted} is asked for, and there is none; replicas=0 does without"
            );
            Err(unusable(&problem).at(&facts.server))
        }
        None => Ok(()),
    }
}

fn unusable(problem: &str) -> Failure {
    Failure::refused(ErrorKind::Config, problem)
}
