//! A process that is killed while it rotates, on a Cluster.
//!
//! The test starts this program again as a child.

#![expect(clippy::unwrap_used, reason = "a test's failure")]

#[expect(dead_code, reason = "shared with the other tests")]
#[path = "redis/support.rs"]
mod support;

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use support::{cluster_options, id, of_user, open, record, system_clock};
use tokenkeep_core::{ErrorKind, Rotation, TokenDriver, TokenDriverExt};
use tokenkeep_redis::{Host, RedisDriver, RedisOptions, Servers};
use tokenkeep_testkit::{Cluster, Server, require, shared};
use tokio::runtime::Runtime;

/// What a child needs to know: the first token's number, then the account and the nodes. Set in children
/// alone.
const CHILD: &str = "TOKENKEEP_REDIS_CHILD";
const NAMESPACE: &str = "killed";
const KILLS: u64 = 12;

fn main() -> ExitCode {
    if let Ok(job) = env::var(CHILD) {
        Runtime::new().unwrap().block_on(rotate_on(&job));
        return ExitCode::FAILURE;
    }
    let cluster = require(shared::cluster());
    let is_missing = cluster.is_err();
    let name = match &cluster {
        Ok(_) => "a_killed_rotation_happened_or_not".to_owned(),
        Err(reason) => format!("a_killed_rotation_happened_or_not ({reason})"),
    };
    let trial = Trial::test(name, move || {
        let runtime = Runtime::new()?;
        runtime.block_on(kill_often(cluster?));
        Ok(())
    });
    let trials = vec![trial.with_ignored_flag(is_missing)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Rotates one token after the other, and says so, until it is killed.
async fn rotate_on(job: &str) {
    let mut words = job.split(' ');
    let mut number: u64 = words.next().unwrap().parse().unwrap();
    let user = words.next().unwrap().to_owned();
    let password = words.next().unwrap().to_owned();
    let host = |port: &str| Host {
        name: "127.0.0.1".to_owned(),
        port: port.parse().unwrap(),
    };
    let options = RedisOptions {
        user: Some(user),
        password: Some(password.into()),
        namespace: NAMESPACE.to_owned(),
        // So long a bulk revocation waits for a rotation that may go on.
        timeout: Duration::from_secs(1),
        ..RedisOptions::new(Servers::Cluster(words.map(host).collect()))
    };
    let driver = open(&options, system_clock()).await;
    driver.create(record(number, "ada")).await.unwrap();
    loop {
        println!("{number}");
        let turn = driver.rotate(&id(number), record(number + 1, "ada")).await;
        assert_eq!(turn.unwrap(), Rotation::Rotated);
        number += 1;
    }
}

/// A child whose first token has this number.
fn child(cluster: &Cluster, number: u64) -> Child {
    let node = &cluster.nodes()[0];
    let ports = cluster.nodes().iter().map(Server::port);
    let ports: Vec<_> = ports.map(|port| port.to_string()).collect();
    let words = [
        &number.to_string(),
        node.user(),
        node.password(),
        &ports.join(" "),
    ];
    Command::new(env::current_exe().unwrap())
        .env(CHILD, words.join(" "))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn kill_often(cluster: &Cluster) {
    let driver = open(&cluster_options(cluster, NAMESPACE), system_clock()).await;
    for round in 0..KILLS {
        let begin = 1_000_000 * round;
        let mut child = child(cluster, begin);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed at any place of a rotation: what comes after the line is not waited for.
        let last = lines.take(20 + round as usize).last().unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        look(&driver, last.parse().unwrap()).await;
    }
}

/// The child had said that this token is there; it may have rotated it, and those after it.
async fn look(driver: &RedisDriver, said: u64) {
    let active = driver.list_all(&of_user("ada")).await.unwrap();
    let mut found = Vec::new();
    for number in said..said + 1_000 {
        match driver.get(&id(number)).await {
            Ok(_) => found.push(number),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
    }
    assert_eq!(active.len(), found.len(), "a token is in no index");
    // One, or one and a successor that nobody was given.
    let is_one_family = match found[..] {
        [_] => true,
        [old, new] => new == old + 1,
        _ => false,
    };
    assert!(is_one_family, "after {said}: {found:?}");
    driver.delete_tokens(&of_user("ada")).await.unwrap();
    let left = driver.list_all(&of_user("ada")).await.unwrap();
    assert!(left.is_empty());
    for number in found {
        let error = driver.get(&id(number)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
