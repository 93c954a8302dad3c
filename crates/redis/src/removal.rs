//! The removal of a store.

use std::collections::BTreeMap;

use redis::{Value, cmd};
use tokenkeep_backend::{Call, Effect, Failure, Outcome};
use tokenkeep_core::{Durability, Error, ErrorKind, Result};

use crate::driver::in_call;
use crate::keys::check_namespace;
use crate::network::{Network, Slot};
use crate::options::{RedisOptions, Servers};
use crate::reply::{Reply, bytes, strange};
use crate::shards::slot_of;

/// How many keys one step asks for.
const STEP: u32 = 500;
/// How often all keys of a Cluster are looked through before writers that go on are taken notice of.
const MAX_PASSES: u32 = 10;

/// Removes a namespace: its tokens, its indexes and its constants.
///
/// # Behavior
///
/// - A store that is not there is no error.
/// - Nothing else on the servers is touched, but all their keys are looked through, in steps.
/// - It waits neither for disk nor for replicas, whatever `durability` and `replicas` say: what a crash or a
///   failover brings back can be removed again.
/// - Handles on the store that are still open find it empty; a write through one of them leaves keys that
///   are not removed.
///
/// # Errors
///
/// `Config` for options that cannot work. `Unavailable` or `Indeterminate` if a server fails; a part may
/// be removed, and repeating the call is safe.
///
/// # Cancel safety
///
/// A part may be removed.
pub async fn drop_namespace(options: &RedisOptions) -> Result<()> {
    remove(options).await.map_err(in_call("drop_namespace"))
}

async fn remove(options: &RedisOptions) -> Result<()> {
    check_namespace(&options.namespace)?;
    let network = network(options).await?;
    let is_cluster = matches!(options.servers, Servers::Cluster(_));
    for _ in 0..MAX_PASSES {
        let found = pass(&network, options).await;
        let found = found.map_err(|failure| failure.into_error(Effect::Writes))?;
        // On a Cluster a slot that is on its way to another server may be missed once.
        if found == 0 || !is_cluster {
            return Ok(());
        }
    }
    let problem = "keys of the namespace are written all the while: end what uses it first";
    Err(Error::new(ErrorKind::Unavailable, problem))
}

/// The servers, whatever a crash of theirs loses: what is to be removed need not be kept.
async fn network(options: &RedisOptions) -> Result<Network> {
    let undemanding = RedisOptions {
        durability: Durability::Relaxed,
        replicas: Some(0),
        ..options.clone()
    };
    Network::open(&undemanding).await
}

/// Looks through all keys once; gives how many were removed.
async fn pass(network: &Network, options: &RedisOptions) -> Outcome<usize> {
    let mut removed = 0;
    for master in network.masters(&Call::within(options.timeout)).await? {
        let mut cursor = b"0".to_vec();
        loop {
            let call = Call::within(options.timeout);
            let mut command = cmd("SCAN");
            command.arg(&cursor).arg("MATCH");
            command.arg(format!("{}:*", options.namespace));
            command.arg("COUNT").arg(STEP);
            let reply = master.command(&call, Effect::Reads, &command).await?;
            let (next, keys) = scanned(reply)?;
            removed += keys.len();
            unlink(network, options, keys).await?;
            if next == b"0" {
                break;
            }
            cursor = next;
        }
    }
    Ok(removed)
}

/// Removes keys, those of one slot at once.
async fn unlink(network: &Network, options: &RedisOptions, keys: Vec<Vec<u8>>) -> Outcome<()> {
    let mut slots: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
    for key in keys {
        slots.entry(slot_of(&key)).or_default().push(key);
    }
    for (slot, keys) in slots {
        let call = Call::within(options.timeout);
        let mut command = cmd("UNLINK");
        command.arg(keys);
        let effect = Effect::Writes;
        network.command(&call, effect, Slot(slot), &command).await?;
    }
    Ok(())
}

/// The next cursor and the keys that a SCAN gave.
fn scanned(answer: Value) -> Outcome<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut reply = Reply::of(answer)?;
    let next = reply.bytes()?;
    let Value::Array(keys) = reply.value()? else {
        return Err(strange());
    };
    let keys: Result<_, Failure> = keys.into_iter().map(bytes).collect();
    Ok((next, keys?))
}

#[cfg(test)]
mod tests {
    use tokenkeep_testkit::{Cluster, Settings, require_or_tell};
    use zeroize::Zeroizing;

    use super::*;
    use crate::options::Host;

    #[tokio::test]
    async fn what_no_replica_would_hold_is_removed_too() {
        let settings = Settings::new().patient();
        let Some(cluster) = require_or_tell(Cluster::redis(1, 0, &settings)) else {
            return;
        };
        let node = &cluster.nodes()[0];
        let (name, port) = (node.host().to_owned(), node.port());
        let mut options = RedisOptions::new(Servers::Cluster(vec![Host { name, port }]));
        options.user = Some(node.user().to_owned());
        options.password = Some(Zeroizing::new(node.password().to_owned()));
        options.namespace = "gone".to_owned();
        node.command(&["SET", "gone:a", "1"]).unwrap();
        drop_namespace(&options).await.unwrap();
        assert_eq!(node.command(&["DBSIZE"]).unwrap(), "0");
    }
}
