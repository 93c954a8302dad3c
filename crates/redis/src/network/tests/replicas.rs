//! Writes that wait for replicas.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use redis::Value;
use tokenkeep_backend::{Call, Cause, Effect, Outcome};
use tokenkeep_testkit::{SentinelSet, Server, Settings, require_or_tell};

use super::support::{
    LONG, assert_config, calls, connections, open, options, redis, sentinel_options, text,
};
use crate::network::{Network, Slot};
use crate::script::DELETE;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn replicas_that_are_not_there_are_not_waited_for() {
    let Some(server) = redis() else { return };
    let mut options = options(&server);
    options.replicas = Some(1);
    assert_config(&options, "replicas=0").await;
}

#[tokio::test]
async fn a_write_that_too_few_replicas_have_is_in_doubt() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let mut options = sentinel_options(&set);
    options.replicas = Some(2);
    let network = open(&options).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    let frozen = &set.nodes()[1];
    frozen.freeze().unwrap();
    let began = Instant::now();
    let failure = network.count("a", SECOND).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Lost, "{}", failure.message);
    assert!(
        failure.message.contains("1 of replicas=2"),
        "{}",
        failure.message
    );
    assert!(began.elapsed() < 5 * SECOND);
    // Reads do not wait behind it.
    let began = Instant::now();
    let (writes, read) = tokio::join!(
        futures::future::join_all((0..20).map(|_| network.count("a", SECOND))),
        network.get("a", SECOND)
    );
    assert_eq!(read.unwrap(), text("2"));
    assert!(writes.iter().all(Result::is_err));
    assert!(began.elapsed() < 5 * SECOND);
    frozen.thaw();
    network.count("a", LONG).await.unwrap();
}

/// That there is no token rests on what others did, on whichever connection.
#[tokio::test]
async fn an_answer_that_rests_on_anothers_write_waits_for_that_too() {
    let settings = Settings::new().patient();
    for set in [
        SentinelSet::redis(&settings),
        SentinelSet::valkey(&settings),
    ] {
        let Some(set) = require_or_tell(set) else {
            return;
        };
        let network = open(&sentinel_options(&set)).await;
        assert_eq!(delete_nothing(&network, LONG).await.unwrap(), nothing());
        let master = set.master().unwrap();
        let replicas = || {
            set.nodes()
                .iter()
                .filter(|node| node.port() != master.port())
        };
        replicas().for_each(|replica| replica.freeze().unwrap());
        master.command(&["SET", "another", "1"]).unwrap();
        let failure = delete_nothing(&network, SECOND).await.unwrap_err();
        assert_eq!(failure.cause, Cause::Lost, "{}", failure.message);
        assert!(
            failure.message.contains("replicas=0"),
            "{}",
            failure.message
        );
        replicas().for_each(Server::thaw);
        assert_eq!(delete_nothing(&network, LONG).await.unwrap(), nothing());
        assert_eq!(master.command(&["DBSIZE"]).unwrap(), "1");
    }
}

fn nothing() -> Value {
    Value::Array(vec![Value::Array(vec![Value::Int(0)])])
}

/// Revokes a token that is not there.
async fn delete_nothing(network: &Network, timeout: Duration) -> Outcome<Value> {
    let (call, effect, slot) = (Call::within(timeout), Effect::Writes, Slot(0));
    let arguments = [b"t:{0}:", &[0; 8][..], &[0; 8], b"1", b"1", &[7; 32], b""];
    let answer = network.script(&call, effect, slot, &DELETE, b"t:{0}:none", &arguments);
    answer.await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_share_their_waits() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let network = open(&sentinel_options(&set)).await;
    let counted = try_join_all((0..1_000).map(|_| network.count("a", LONG))).await;
    let mut counted = counted.unwrap();
    counted.sort_unstable();
    assert_eq!(counted, (1..=1_000).collect::<Vec<_>>());
    let master = set.master().unwrap();
    let waits = calls(master, "wait");
    assert!((1..=200).contains(&waits), "{waits}");
    assert!(connections(master) <= 6);
}

#[tokio::test]
async fn a_refused_write_is_not_waited_for_in_doubt() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let network = open(&sentinel_options(&set)).await;
    let master = set.master().unwrap();
    master
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .unwrap();
    let failure = network.set("a", "1", LONG).await.unwrap_err();
    assert!(failure.message.contains("OOM"), "{}", failure.message);
    assert!(matches!(failure.cause, Cause::Refused(_)));
}
