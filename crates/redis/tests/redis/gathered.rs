//! Calls about single tokens that go together where many are under way.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokenkeep_core::{ErrorKind, PageRequest, TokenDriver};
use tokenkeep_redis::{RedisDriver, RedisOptions};
use tokenkeep_testkit::{Cluster, Server, Settings, require_or_tell};

use crate::support::{cluster_options, id, open, options, record, shared_server, system_clock};

const TOKENS: u64 = 100;

async fn filled(options: &RedisOptions) -> RedisDriver {
    let driver = open(options, system_clock()).await;
    let records = (0..TOKENS).map(|number| record(number, &format!("user-{number}")));
    for answer in driver.create_many(records.collect()).await.unwrap() {
        answer.unwrap();
    }
    driver
}

/// How often a server has executed a command.
fn calls(server: &Server, command: &str) -> u64 {
    let stats = server.command(&["INFO", "commandstats"]).unwrap();
    let name = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_reads_gets_its_own_token() {
    let Some(server) = require_or_tell(Server::redis(&Settings::new())) else {
        return;
    };
    let driver = filled(&options(&server, "reads")).await;
    let (absent, numbers) = (TOKENS..TOKENS + 20, 0..TOKENS + 20);
    let gets = numbers.map(|number| {
        let driver = &driver;
        async move { (number, driver.get(&id(number)).await) }
    });
    for (number, found) in join_all(gets).await {
        match absent.contains(&number) {
            true => assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound),
            false => assert_eq!(found.unwrap().user_id.as_str(), format!("user-{number}")),
        }
    }
    let together = calls(&server, "mget");
    assert!((1..20).contains(&together), "{together}");
}

/// How many different tokens the feed tells of.
async fn revoked(driver: &RedisDriver) -> u64 {
    let page = PageRequest::new(1_000).unwrap();
    let feed = driver.list_revoked(&page).await.unwrap();
    let ids: HashSet<_> = feed.items.iter().map(|token| token.id).collect();
    assert_eq!(ids.len(), feed.items.len(), "the feed repeats a revocation");
    ids.len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_revocations_each_token_has_one() {
    let Some(server) = require_or_tell(Server::redis(&Settings::new())) else {
        return;
    };
    let driver = filled(&options(&server, "revocations")).await;
    let before = calls(&server, "evalsha");
    let twice = (0..TOKENS).chain(0..TOKENS);
    let deletes = twice.map(|number| {
        let driver = &driver;
        async move { driver.delete(&id(number)).await }
    });
    let outcomes = join_all(deletes).await;
    let (first, second) = outcomes.split_at(100);
    for (first, second) in first.iter().zip(second) {
        assert!(first.is_ok() != second.is_ok());
    }
    let scripts = calls(&server, "evalsha") - before;
    assert!(scripts < TOKENS, "{scripts}");
    assert_eq!(revoked(&driver).await, TOKENS);
}

/// With several shards each revocation needs a place from what all shards share.
#[tokio::test(flavor = "multi_thread")]
async fn revocations_in_many_shards_ask_for_their_places_together() {
    let Some(cluster) = require_or_tell(Cluster::redis(1, 0, &Settings::new())) else {
        return;
    };
    let options = RedisOptions {
        replicas: Some(0),
        ..cluster_options(&cluster, "places")
    };
    let driver = filled(&options).await;
    let server = &cluster.nodes()[0];
    let before = calls(server, "evalsha");
    let deletes = (0..TOKENS).map(|number| {
        let driver = &driver;
        async move { driver.delete(&id(number)).await }
    });
    for outcome in join_all(deletes).await {
        outcome.unwrap();
    }
    let scripts = calls(server, "evalsha") - before;
    assert!((TOKENS..TOKENS * 3 / 2).contains(&scripts), "{scripts}");
    assert_eq!(revoked(&driver).await, TOKENS);
}

/// On one thread nothing flies before the callers pause: what they drop then was not made.
#[tokio::test]
async fn a_revocation_that_is_dropped_while_it_waits_is_not_made() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = filled(&options(server, "dropped")).await;
    let mut deletes: Vec<_> = (0..TOKENS)
        .map(|number| {
            let driver = &driver;
            Box::pin(async move { driver.delete(&id(number)).await })
        })
        .collect();
    for delete in &mut deletes {
        assert!(futures::poll!(delete).is_pending());
    }
    drop(deletes);
    let gets = (0..TOKENS).map(|number| {
        let driver = &driver;
        async move { driver.get(&id(number)).await }
    });
    let active = join_all(gets).await.into_iter().filter(Result::is_ok);
    // Those that went straight through may have reached the server.
    assert!(active.count() as u64 >= TOKENS - 8);
    driver.delete(&id(TOKENS - 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_frozen_server_each_call_ends_in_time_and_tells_the_truth() {
    let Some(server) = require_or_tell(Server::redis(&Settings::new())) else {
        return;
    };
    let options = RedisOptions {
        timeout: Duration::from_secs(2),
        ..options(&server, "frozen")
    };
    let driver = Arc::new(filled(&options).await);
    server.freeze().unwrap();
    let began = Instant::now();
    let deletes = (0..TOKENS).map(|number| {
        let driver = Arc::clone(&driver);
        async move { driver.delete(&id(number)).await.unwrap_err().kind() }
    });
    let kinds = join_all(deletes).await;
    assert!(began.elapsed() < Duration::from_secs(8));
    server.thaw();
    let (mut unavailable, mut in_doubt) = (0, 0);
    for (number, kind) in (0..TOKENS).zip(kinds) {
        let found = driver.get(&id(number)).await;
        match kind {
            ErrorKind::Indeterminate => in_doubt += 1,
            ErrorKind::Unavailable => {
                unavailable += 1;
                found.unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(in_doubt > 0, "{unavailable}");
}
