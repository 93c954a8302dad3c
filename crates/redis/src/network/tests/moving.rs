//! Slots that move from one node to another.

use std::time::Duration;

use tokenkeep_testkit::{Cluster, Server, Settings, Step, require_or_tell};

use super::support::{LONG, cluster_options, open, text, unavailable};
use crate::shards::slot_of;

const KEY: &str = "{a}moving";
const ABSENT: &str = "{a}absent";
const SHORT: Duration = Duration::from_secs(1);

fn cluster() -> Option<Cluster> {
    require_or_tell(Cluster::redis(3, 0, &Settings::new().patient()))
}

fn another<'a>(cluster: &'a Cluster, owner: &Server) -> &'a Server {
    let mut nodes = cluster.nodes().iter();
    nodes.find(|node| node.port() != owner.port()).unwrap()
}

#[tokio::test]
async fn a_slot_is_found_where_it_went() {
    let Some(cluster) = cluster() else { return };
    let mut options = cluster_options(&cluster);
    options.replicas = Some(0);
    let network = open(&options).await;
    let slot = slot_of(KEY.as_bytes());
    assert_eq!(network.count(KEY, LONG).await.unwrap(), 1);
    for expected in 2..6 {
        let owner = cluster.master_of_slot(slot).unwrap();
        cluster
            .move_slots(slot..=slot, another(&cluster, owner))
            .unwrap();
        assert_eq!(network.count(KEY, LONG).await.unwrap(), expected);
    }
}

/// What a reader and a script see while a slot is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn readers_follow_a_slot_on_its_way_and_scripts_wait_for_it() {
    let Some(cluster) = cluster() else { return };
    let mut options = cluster_options(&cluster);
    options.replicas = Some(0);
    let network = open(&options).await;
    let slot = slot_of(KEY.as_bytes());
    network.set(KEY, "1", LONG).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let mut seen = Vec::new();
    let target = another(&cluster, cluster.master_of_slot(slot).unwrap());
    tokio::task::block_in_place(|| {
        cluster
            .move_slots_stepwise(slot..=slot, target, |step| {
                let (read, run) = runtime.block_on(async {
                    let read = network.get(KEY, LONG).await;
                    (read, network.count(ABSENT, SHORT).await)
                });
                assert_eq!(read.unwrap(), text("1"), "{step:?}");
                seen.push((step, run));
            })
            .unwrap();
    });
    let [
        (Step::Opened(_), opened),
        (Step::KeyMoved(_), moved),
        (Step::Closed(_), closed),
    ] = seen.as_slice()
    else {
        panic!("{seen:?}");
    };
    for run in [opened, moved] {
        let failure = run.as_ref().unwrap_err();
        assert!(unavailable(failure), "{failure:?}");
    }
    // None of them has run.
    assert_eq!(*closed.as_ref().unwrap(), 1);
}
