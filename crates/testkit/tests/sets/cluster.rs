//! Clusters: start, failover, loss and return of a node, and slots that move.

use std::time::Instant;

use libtest_mimic::Trial;
use tokenkeep_testkit::{Cluster, Result, Server, Settings, Step, shared};

use crate::{Told, ensure, trial};

type Start = fn(u16, u16, &Settings) -> Result<Cluster>;

type Test = fn(Start) -> Result<Told>;

const TESTS: &[(&str, Test)] = &[
    ("starts_with_every_slot_served", starts),
    ("one_master_without_replica_is_a_cluster", single),
    ("a_killed_master_is_replaced_and_comes_back", killed),
    ("a_frozen_master_is_replaced_and_comes_back", frozen),
    ("a_replica_takes_over_when_told", failover),
    ("slots_move_with_their_keys", moves),
    ("a_move_of_slots_can_be_watched", watched),
    ("speaks_tls", tls),
];

pub(crate) fn trials() -> Vec<Trial> {
    let kinds: [(_, Start); 2] = [("redis", Cluster::redis), ("valkey", Cluster::valkey)];
    let mut trials: Vec<_> = TESTS
        .iter()
        .flat_map(|(name, test)| {
            kinds
                .map(|(kind, start)| trial(format!("cluster::{kind}::{name}"), move || test(start)))
        })
        .collect();
    trials.push(trial("cluster::one_is_shared".to_owned(), is_shared));
    trials
}

/// Of `{tag}` the slot, as Redis counts it.
fn slot_of(cluster: &Cluster, key: &str) -> Result<u16> {
    let slot = cluster.nodes()[0].command(&["CLUSTER", "KEYSLOT", key])?;
    Ok(slot.parse().unwrap_or(u16::MAX))
}

fn starts(start: Start) -> Result<Told> {
    let begun = Instant::now();
    let cluster = start(3, 1, &Settings::new().patient())?;
    eprintln!("a cluster of six took {:?}", begun.elapsed());
    let first = cluster.master_of_slot(0)?;
    let last = cluster.master_of_slot(16_383)?;
    let replica = cluster.replica_of(first)?;
    let masters = cluster.masters()?.len();
    let ports: Vec<_> = cluster.nodes().iter().map(Server::port).collect();
    let seeds = format!(
        "@127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}?",
        ports[0], ports[1], ports[2]
    );
    let url = cluster.url("here");
    Ok(
        ensure(ports.len() == 6 && masters == 3, "six nodes, three masters")
            .and_then(|()| ensure(first.port() == ports[0], "the first master"))
            .and_then(|()| ensure(last.port() == ports[2], "the last master"))
            .and_then(|()| ensure(replica.port() == ports[3], "the first replica"))
            .and_then(|()| ensure(cluster.replica_of(replica).is_err(), "a replica's replica"))
            .and_then(|()| ensure(url.starts_with("redis+cluster://tokenkeep:k33p%2F"), &url))
            .and_then(|()| {
                ensure(
                    url.contains(&seeds) && url.ends_with("?namespace=here"),
                    &url,
                )
            }),
    )
}

fn single(start: Start) -> Result<Told> {
    let cluster = start(1, 0, &Settings::new().patient().relaxed())?;
    let node = &cluster.nodes()[0];
    let master = cluster.master_of_slot(12_345)?;
    let set = node.command(&["SET", "a", "1"])?;
    node.restart()?;
    cluster.wait_ok()?;
    let found = node.command(&["GET", "a"])?;
    Ok(ensure(cluster.nodes().len() == 1, "one node")
        .and_then(|()| ensure(master.port() == node.port(), "its slots"))
        .and_then(|()| ensure(set == "OK" && found == "1", &found)))
}

fn killed(start: Start) -> Result<Told> {
    let cluster = start(3, 1, &Settings::new())?;
    let slot = slot_of(&cluster, "a")?;
    let lost = cluster.master_of_slot(slot)?;
    let heir = cluster.replica_of(lost)?.port();
    lost.commands(&[&["SET", "a", "1"], &["WAIT", "1", "10000"]])?;
    lost.kill()?;
    cluster.wait_for_successor(lost)?;
    let master = cluster.master_of_slot(slot)?;
    let found = master.command(&["GET", "a"])?;
    lost.restart()?;
    cluster.wait_ok()?;
    let replica = cluster.replica_of(master)?;
    Ok(ensure(master.port() == heir && found == "1", &found)
        .and_then(|()| ensure(replica.port() == lost.port(), "it comes back as a replica")))
}

fn frozen(start: Start) -> Result<Told> {
    let cluster = start(3, 1, &Settings::new())?;
    let lost = cluster.master_of_slot(0)?;
    lost.freeze()?;
    cluster.wait_for_successor(lost)?;
    let master = cluster.master_of_slot(0)?;
    lost.thaw();
    cluster.wait_ok()?;
    Ok(ensure(master.port() != lost.port(), "another master")
        .and_then(|()| ensure(lost.is_running(), "it runs")))
}

fn failover(start: Start) -> Result<Told> {
    let cluster = start(3, 1, &Settings::new().patient())?;
    let before = cluster.master_of_slot(0)?;
    let replica = cluster.replica_of(before)?;
    let refused = cluster.failover(before).is_err();
    cluster.failover(replica)?;
    let after = cluster.master_of_slot(0)?;
    let behind = cluster.replica_of(after)?;
    Ok(
        ensure(after.port() == replica.port(), "the replica is the master")
            .and_then(|()| ensure(behind.port() == before.port(), "the master is the replica"))
            .and_then(|()| ensure(refused, "a master took over")),
    )
}

fn moves(start: Start) -> Result<Told> {
    let cluster = start(2, 0, &Settings::new().patient().relaxed())?;
    let slot = slot_of(&cluster, "{a}")?;
    let from = cluster.master_of_slot(slot)?;
    let Some(to) = cluster
        .nodes()
        .iter()
        .find(|node| node.port() != from.port())
    else {
        return Ok(Err("one node".into()));
    };
    for index in 0..250 {
        from.command(&["SET", &format!("{{a}}{index}"), "1", "PX", "1000000"])?;
    }
    cluster.move_slots(slot - 1..=slot + 1, to)?;
    cluster.wait_ok()?;
    let keys = [from, to].map(|node| node.command(&["DBSIZE"]));
    let ttl = to.command(&["PTTL", "{a}7"])?;
    let master = cluster.master_of_slot(slot)?;
    Ok(ensure(
        keys == [Ok("0".to_owned()), Ok("250".to_owned())],
        &format!("{keys:?}"),
    )
    .and_then(|()| ensure(ttl.parse::<i64>().is_ok_and(|ttl| ttl > 0), &ttl))
    .and_then(|()| ensure(master.port() == to.port(), "the slot is there")))
}

/// While the slot is open, its master has the keys that have not moved, and sends on for others.
fn watched(start: Start) -> Result<Told> {
    let cluster = start(2, 0, &Settings::new().patient().relaxed())?;
    let slot = slot_of(&cluster, "{a}")?;
    let from = cluster.master_of_slot(slot)?;
    let Some(to) = cluster
        .nodes()
        .iter()
        .find(|node| node.port() != from.port())
    else {
        return Ok(Err("one node".into()));
    };
    for index in 0..3 {
        from.command(&["SET", &format!("{{a}}{index}"), "1"])?;
    }
    let mut steps = Vec::new();
    let mut asked = Vec::new();
    cluster.move_slots_stepwise(slot..=slot, to, |step| {
        steps.push(step);
        let answer = from.command(&["GET", "{a}none"]);
        asked.push(answer.map_err(|error| error.to_string()));
    })?;
    let opened = Step::Opened(slot);
    let moved = Step::KeyMoved(slot);
    let wanted = [opened, moved, moved, moved, Step::Closed(slot)];
    let sent_on = |index: usize, how: &str| {
        let answer: Option<&std::result::Result<String, String>> = asked.get(index);
        answer.is_some_and(|answer| answer.as_ref().is_err_and(|text| text.starts_with(how)))
    };
    Ok(ensure(steps == wanted, &format!("{steps:?}"))
        .and_then(|()| {
            ensure(
                sent_on(0, "ASK") && sent_on(3, "ASK"),
                &format!("{asked:?}"),
            )
        })
        .and_then(|()| ensure(sent_on(4, "MOVED"), &format!("{asked:?}"))))
}

fn tls(start: Start) -> Result<Told> {
    let cluster = start(2, 1, &Settings::new().patient().with_tls())?;
    let authorities: Vec<_> = cluster
        .nodes()
        .iter()
        .map(|node| node.tls().map(|tls| tls.ca.clone()))
        .collect();
    let slot = slot_of(&cluster, "a")?;
    let from = cluster.master_of_slot(slot)?;
    from.command(&["SET", "a", "1"])?;
    let to = cluster.master_of_slot(16_383 - slot)?;
    cluster.move_slots(slot..=slot, to)?;
    let found = to.command(&["GET", "a"])?;
    let one = authorities
        .iter()
        .all(|ca| ca.is_some() && *ca == authorities[0]);
    Ok(ensure(one, &format!("{authorities:?}")).and_then(|()| ensure(found == "1", &found)))
}

fn is_shared() -> Result<Told> {
    let (one, other) = (shared::cluster()?, shared::cluster()?);
    Ok(ensure(
        one.nodes().len() == 6 && one.nodes()[0].port() == other.nodes()[0].port(),
        "two",
    ))
}
