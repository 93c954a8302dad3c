//! Opening while no master answers yet.

use std::time::{Duration, Instant};

use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::{Cluster, SentinelSet, Settings, require_or_tell};
use zeroize::Zeroizing;

use super::support::{
    LONG, assert_config, cluster_options, open, options, redis, refusal, sentinel_options,
};
use crate::network::Network;

const SECOND: Duration = Duration::from_secs(1);

/// With more no server would be waited for any longer.
const ENOUGH: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_failover_of_sentinels_is_waited_for() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new())) else {
        return;
    };
    let mut options = sentinel_options(&set);
    options.timeout = LONG;
    open(&options).await.get("a", LONG).await.unwrap();
    set.kill_master().unwrap();
    open(&options).await.get("a", LONG).await.unwrap();
}

#[tokio::test]
async fn a_failover_that_does_not_come_is_waited_for_no_longer_than_asked() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let master = set.kill_master().unwrap();
    let mut options = sentinel_options(&set);
    options.timeout = ENOUGH;
    let began = Instant::now();
    let error = refusal(&options).await;
    assert!(began.elapsed() > ENOUGH / 2 && began.elapsed() < LONG);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let expected = format!("{}: no connection", master.address());
    assert!(error.to_string().contains(&expected), "{error}");
}

/// Its slots come while the other opens it.
#[tokio::test]
async fn slots_that_no_node_has_yet_are_waited_for() {
    let Some(cluster) = require_or_tell(Cluster::redis(1, 0, &Settings::new().patient())) else {
        return;
    };
    let node = &cluster.nodes()[0];
    let every = ["0", "16383"];
    let tell = |what: &str| node.command(&["CLUSTER", what, every[0], every[1]]);
    tell("DELSLOTSRANGE").unwrap();
    let mut options = cluster_options(&cluster);
    options.replicas = Some(0);
    options.timeout = ENOUGH;
    let error = refusal(&options).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("knows of no slots"), "{error}");
    options.timeout = LONG;
    let mut opening = Box::pin(Network::open(&options));
    let early = tokio::time::timeout(SECOND, &mut opening).await;
    assert!(early.is_err(), "{early:?}");
    tell("ADDSLOTSRANGE").unwrap();
    opening.await.unwrap().count("a", LONG).await.unwrap();
}

#[tokio::test]
async fn what_no_failover_mends_is_not_waited_for() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let Some(server) = redis() else { return };
    for mut options in [sentinel_options(&set), options(&server)] {
        options.timeout = LONG;
        options.password = Some(Zeroizing::new("wrong".to_owned()));
        let began = Instant::now();
        assert_config(&options, "WRONGPASS").await;
        assert!(began.elapsed() < LONG / 3);
    }
}
