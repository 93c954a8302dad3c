//! What servers refuse, and what callers are told.

use redis::Value;
use tokenkeep_backend::{Cause, Failure};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::{Server, Settings, require_or_tell};
use zeroize::Zeroizing;

use super::support::{LONG, assert_config, open, options, redis, refusal, text};

#[tokio::test]
async fn an_account_that_cannot_work_is_a_matter_of_configuration() {
    let Some(server) = redis() else { return };
    let good = options(&server);
    let secret = "not-the-right-one";
    let mut wrong = good.clone();
    wrong.password = Some(Zeroizing::new(secret.to_owned()));
    assert_config(&wrong, "WRONGPASS").await;
    let error = refusal(&wrong).await;
    assert!(!error.to_string().contains(secret) && !format!("{error:?}").contains(secret));
    let mut nobody = good.clone();
    nobody.user = None;
    nobody.password = None;
    assert_config(&nobody, "NOAUTH").await;
    let mut database = good.clone();
    database.database = 99;
    assert_config(&database, "DB index is out of range").await;
}

#[tokio::test]
async fn keys_that_the_account_may_not_touch_are_a_matter_of_configuration() {
    let Some(server) = redis() else { return };
    server
        .command(&[
            "ACL", "SETUSER", "tenant", "on", ">secret", "~mine:*", "+@all",
        ])
        .unwrap();
    let mut options = options(&server);
    options.user = Some("tenant".to_owned());
    options.password = Some(Zeroizing::new("secret".to_owned()));
    let network = open(&options).await;
    assert_eq!(network.count("mine:a", LONG).await.unwrap(), 1);
    for failure in [
        network.count("other:a", LONG).await.unwrap_err(),
        network.get("other:a", LONG).await.unwrap_err(),
    ] {
        assert_refused(&failure, ErrorKind::Config, "NOPERM");
    }
}

fn assert_refused(failure: &Failure, kind: ErrorKind, part: &str) {
    assert_eq!(failure.cause, Cause::Refused(kind), "{}", failure.message);
    assert!(failure.message.contains(part), "{}", failure.message);
}

#[tokio::test]
async fn a_master_that_became_a_replica_takes_no_writes() {
    let Some(server) = redis() else { return };
    let Some(other) = redis() else { return };
    let network = open(&options(&server)).await;
    network.set("a", "1", LONG).await.unwrap();
    let (host, port) = (other.host(), other.port().to_string());
    server.command(&["REPLICAOF", host, &port]).unwrap();
    let failure = network.set("a", "2", LONG).await.unwrap_err();
    assert_refused(&failure, ErrorKind::Unavailable, "READONLY");
    server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    network.set("a", "2", LONG).await.unwrap();
}

#[tokio::test]
async fn a_full_server_takes_no_writes_and_is_read() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    network.set("a", "1", LONG).await.unwrap();
    server
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .unwrap();
    let failure = network.set("a", "2", LONG).await.unwrap_err();
    assert_refused(&failure, ErrorKind::Unavailable, "OOM");
    assert_eq!(network.get("a", LONG).await.unwrap(), text("1"));
    // A script that frees is run.
    assert_eq!(network.count("b", LONG).await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_lacks_replicas_takes_no_writes_and_is_read() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    server
        .command(&["CONFIG", "SET", "min-replicas-to-write", "1"])
        .unwrap();
    let failure = network.set("a", "2", LONG).await.unwrap_err();
    assert_refused(&failure, ErrorKind::Unavailable, "NOREPLICAS");
    assert_eq!(network.get("a", LONG).await.unwrap(), Value::Nil);
}

#[tokio::test]
async fn a_server_without_room_for_connections_is_unavailable() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    network.get("a", LONG).await.unwrap();
    server
        .command(&["CONFIG", "SET", "maxclients", "1"])
        .unwrap();
    let error = refusal(&options(&server)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_value_of_another_kind_is_corrupt_and_shown_to_nobody() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    server
        .command(&["HSET", "private", "field", "value"])
        .unwrap();
    let failure = network.get("private", LONG).await.unwrap_err();
    assert_refused(&failure, ErrorKind::Corrupt, "WRONGTYPE");
    let failure = network.count("private", LONG).await.unwrap_err();
    assert!(!failure.message.contains("private"), "{}", failure.message);
}

#[tokio::test]
async fn commands_that_a_server_does_not_have_are_not_repeated_in_errors() {
    let renamed = Settings::new().with_option("rename-command", "EVALSHA \"\"");
    let Some(server) = require_or_tell(Server::redis(&renamed)) else {
        return;
    };
    let network = open(&options(&server)).await;
    let failure = network.count("private-key", LONG).await.unwrap_err();
    assert_refused(&failure, ErrorKind::Config, "unknown command");
    assert!(
        !failure.message.contains("private-key"),
        "{}",
        failure.message
    );
}
