//! Servers, options and tokens of the tests.

use std::sync::Arc;

use tokenkeep_core::{
    Clock, ManualClock, SystemClock, Timestamp, TokenFilter, TokenId, TokenRecord,
};
use tokenkeep_redis::{Address, Host, RedisDriver, RedisOptions, Servers};
use tokenkeep_testkit::{Cluster, Server, require_or_tell, shared};

/// The server of all tests, or none where Redis is not installed, which is told.
pub(crate) fn shared_server() -> Option<&'static Server> {
    require_or_tell(shared::redis())
}

/// The Cluster of all tests.
pub(crate) fn shared_cluster() -> Option<&'static Cluster> {
    require_or_tell(shared::cluster())
}

pub(crate) fn options(server: &Server, namespace: &str) -> RedisOptions {
    with_account(
        Servers::Standalone(Address::Tcp(host(server))),
        server,
        namespace,
    )
}

pub(crate) fn cluster_options(cluster: &Cluster, namespace: &str) -> RedisOptions {
    let nodes = cluster.nodes();
    let seeds = nodes.iter().take(3).map(host).collect();
    with_account(Servers::Cluster(seeds), &nodes[0], namespace)
}

fn with_account(servers: Servers, server: &Server, namespace: &str) -> RedisOptions {
    RedisOptions {
        user: Some(server.user().to_owned()),
        password: Some(server.password().to_owned().into()),
        namespace: namespace.to_owned(),
        ..RedisOptions::new(servers)
    }
}

fn host(server: &Server) -> Host {
    Host {
        name: server.host().to_owned(),
        port: server.port(),
    }
}

pub(crate) async fn open(options: &RedisOptions, clock: Arc<dyn Clock>) -> RedisDriver {
    tokenkeep_redis::open(options, clock).await.unwrap()
}

pub(crate) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

pub(crate) fn manual_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at("2030-01-01T00:00:00Z")))
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An id that a digest could have: those of numbers in a row lie in all shards.
pub(crate) fn id(number: u64) -> TokenId {
    let mut bytes = [0; 32];
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[..8].copy_from_slice(&spread.to_be_bytes());
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    TokenId::from_bytes(bytes)
}

/// A token for this user that is valid for long.
pub(crate) fn record(number: u64, user: &str) -> TokenRecord {
    let audit = format!("audit-{number}");
    let (from, until) = (at("2029-01-01T00:00:00Z"), at("2090-01-01T00:00:00Z"));
    TokenRecord::new(id(number), &audit, user, from, until).unwrap()
}

pub(crate) fn of_user(user: &str) -> TokenFilter {
    TokenFilter::new().with_user(user).unwrap()
}
