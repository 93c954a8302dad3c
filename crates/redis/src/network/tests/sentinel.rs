//! A master that sentinels watch over.

use std::time::{Duration, Instant};

use tokenkeep_backend::Cause;
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::{SentinelSet, Server, Settings, require_or_tell};
use zeroize::Zeroizing;

use super::support::{
    LONG, assert_config, open, refusal, sentinel_options, text, unavailable, without_account,
};
use crate::network::Network;
use crate::options::{RedisOptions, Servers};

const SECOND: Duration = Duration::from_secs(1);

fn set() -> Option<SentinelSet> {
    require_or_tell(SentinelSet::redis(&Settings::new()))
}

/// Counts up until it works, and gives the number.
async fn count_again(network: &Network) -> u64 {
    let began = Instant::now();
    loop {
        match network.count("a", 10 * SECOND).await {
            Ok(number) => return number,
            Err(failure) => {
                let is_expected = unavailable(&failure) || failure.cause == Cause::Lost;
                assert!(is_expected, "{failure:?}");
                assert!(began.elapsed() < LONG, "{failure:?}");
            }
        }
    }
}

/// A number that all servers have.
async fn count_everywhere(set: &SentinelSet) -> u64 {
    let mut options = sentinel_options(set);
    options.replicas = Some(2);
    open(&options).await.count("a", LONG).await.unwrap()
}

#[tokio::test]
async fn the_master_is_found_and_its_successor_too() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let network = open(&sentinel_options(&set)).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    assert_eq!(count_everywhere(&set).await, 2);
    set.failover().unwrap();
    assert!(count_again(&network).await >= 3);
}

#[tokio::test]
async fn a_master_that_is_killed_is_replaced() {
    let Some(set) = set() else { return };
    let network = open(&sentinel_options(&set)).await;
    assert_eq!(count_everywhere(&set).await, 1);
    let before = set.kill_master().unwrap();
    let second = count_again(&network).await;
    assert!(second >= 2);
    // It comes back as a replica, and is asked no more.
    before.restart().unwrap();
    set.wait_ok().unwrap();
    assert!(count_again(&network).await > second);
}

#[tokio::test]
async fn a_frozen_master_is_replaced() {
    let Some(set) = set() else { return };
    // It only writes, and makes connections without a word to the server.
    let mut options = without_account(set.nodes(), sentinel_options(&set));
    options.timeout = 2 * SECOND;
    let network = open(&options).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    assert_eq!(count_everywhere(&set).await, 2);
    let master = set.master().unwrap();
    master.freeze().unwrap();
    let failure = network.count("a", SECOND / 4).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Lost, "{}", failure.message);
    let mut last = count_again(&network).await;
    assert!(last >= 3);
    // It takes itself for the master still when it goes on.
    master.thaw();
    for _ in 0..50 {
        let next = count_again(&network).await;
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}

/// Neither a connection that is still open nor a sentinel that knows no better leads to the old master.
#[tokio::test]
async fn a_client_that_was_idle_asks_who_is_master_first() {
    let Some(set) = set() else { return };
    let options = sentinel_options(&set);
    let idle = open(&options).await;
    idle.set("a", "old", LONG).await.unwrap();
    let busy = open(&options).await;
    let (master, sentinel) = (set.master().unwrap(), &set.sentinels()[0]);
    master.freeze().unwrap();
    sentinel.freeze().unwrap();
    let began = Instant::now();
    set.wait_for_another(master.port()).unwrap();
    while busy.set("a", "new", 10 * SECOND).await.is_err() || began.elapsed() < 2 * SECOND {
        assert!(began.elapsed() < LONG);
    }
    master.thaw();
    sentinel.thaw();
    assert_eq!(idle.get("a", LONG).await.unwrap(), text("new"));
    assert_eq!(busy.get("a", LONG).await.unwrap(), text("new"));
}

#[tokio::test]
async fn without_sentinels_the_master_that_is_known_serves_on() {
    let Some(set) = set() else { return };
    let network = open(&sentinel_options(&set)).await;
    for sentinel in set.sentinels() {
        sentinel.kill().unwrap();
    }
    let began = Instant::now();
    while began.elapsed() < 3 * SECOND {
        network.count("a", LONG).await.unwrap();
    }
}

/// It may have lost its file, and says nothing of what the others, which are silent, would say.
#[tokio::test]
async fn one_sentinel_that_knows_no_master_decides_nothing() {
    let Some(set) = set() else { return };
    let options = sentinel_options(&set);
    let idle = open(&options).await;
    let network = open(&options).await;
    let [first, others @ ..] = set.sentinels() else {
        panic!("three sentinels");
    };
    for sentinel in others {
        sentinel.kill().unwrap();
    }
    first
        .command(&["SENTINEL", "REMOVE", set.master_name()])
        .unwrap();
    let began = Instant::now();
    while began.elapsed() < 3 * SECOND {
        network.count("a", LONG).await.unwrap();
    }
    idle.count("a", LONG).await.unwrap();
    let error = refusal(&options).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("knows no master"), "{error}");
}

/// Writes that each find it gone do not each ask.
#[tokio::test]
async fn sentinels_are_not_flooded_while_the_master_is_gone() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let network = open(&sentinel_options(&set)).await;
    set.kill_master().unwrap();
    let sentinel = &set.sentinels()[0];
    let asked = || commands(sentinel);
    let (before, began) = (asked(), Instant::now());
    let writes = (0..16).map(|_| network.count("a", 2 * SECOND));
    let outcomes = futures::future::join_all(writes).await;
    assert!(outcomes.iter().all(Result::is_err));
    // They ask each other, too.
    let most = began.elapsed().as_millis() / 50 + 40;
    let asked = asked() - before;
    assert!((1..most).contains(&asked), "{asked} times, not {most}");
}

/// How many commands it was sent.
fn commands(sentinel: &Server) -> u128 {
    let told = sentinel.command(&["INFO", "stats"]).unwrap();
    let mut lines = told.lines();
    let count = lines.find_map(|line| line.strip_prefix("total_commands_processed:"));
    count.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn one_sentinel_that_answers_is_enough() {
    let Some(set) = set() else { return };
    let [first, second, _] = set.sentinels() else {
        panic!("three sentinels");
    };
    first.kill().unwrap();
    second.freeze().unwrap();
    let network = open(&sentinel_options(&set)).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    second.thaw();
}

fn with_master(options: &RedisOptions, name: &str) -> RedisOptions {
    let mut options = options.clone();
    if let Servers::Sentinel(servers) = &mut options.servers {
        servers.master = name.to_owned();
    }
    options
}

#[tokio::test]
async fn sentinels_that_cannot_help_are_told_apart() {
    let Some(set) = set() else { return };
    let good = sentinel_options(&set);
    assert_config(&with_master(&good, "another"), "another").await;
    let mut many = good.clone();
    many.replicas = Some(2);
    assert_eq!(open(&many).await.count("a", LONG).await.unwrap(), 1);
    for sentinel in set.sentinels() {
        sentinel.kill().unwrap();
    }
    let error = refusal(&good).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn sentinels_have_an_account_of_their_own() {
    let settings = Settings::new().with_guarded_sentinels();
    let Some(set) = require_or_tell(SentinelSet::redis(&settings)) else {
        return;
    };
    let mut options = sentinel_options(&set);
    assert_config(&options, "NOAUTH").await;
    let (user, password) = set.sentinel_account();
    if let Servers::Sentinel(servers) = &mut options.servers {
        servers.user = Some(user.to_owned());
        servers.password = Some(Zeroizing::new(password.to_owned()));
    }
    assert_eq!(open(&options).await.count("a", LONG).await.unwrap(), 1);
}
