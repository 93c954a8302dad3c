//! Sentinel sets: start, failover, and loss and return of a master.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tokenkeep_testkit::{Result, SentinelSet, Server, Settings, shared};

use crate::{Told, ensure, trial};

type Start = fn(&Settings) -> Result<SentinelSet>;

type Test = fn(Start) -> Result<Told>;

const TESTS: &[(&str, Test)] = &[
    ("starts_with_all_in_order", starts),
    ("guarded_sentinels_ask_for_their_account", guarded),
    ("a_killed_master_is_replaced_and_comes_back", killed),
    ("a_frozen_master_is_replaced_and_comes_back", frozen),
    ("another_master_takes_over_when_told", failover),
    ("a_sentinel_may_be_lost", sentinel_lost),
    ("speaks_tls", tls),
];

pub(crate) fn trials() -> Vec<Trial> {
    let kinds: [(_, Start); 2] = [
        ("redis", SentinelSet::redis),
        ("valkey", SentinelSet::valkey),
    ];
    let mut trials: Vec<_> = TESTS
        .iter()
        .flat_map(|(name, test)| {
            kinds.map(|(kind, start)| {
                trial(format!("sentinel::{kind}::{name}"), move || test(start))
            })
        })
        .collect();
    trials.push(trial("sentinel::one_is_shared".to_owned(), is_shared));
    trials
}

fn starts(start: Start) -> Result<Told> {
    let begun = Instant::now();
    let set = start(&Settings::new().patient())?;
    eprintln!("a set of six took {:?}", begun.elapsed());
    let master = set.master()?;
    let told = master.commands(&[&["SET", "a", "1"], &["WAIT", "2", "10000"]])?;
    let ports: Vec<_> = set.sentinels().iter().map(Server::port).collect();
    let sentinels = format!(
        "@127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}/",
        ports[0], ports[1], ports[2]
    );
    let end = format!("/{}?namespace=here", set.master_name());
    let url = set.url("here");
    Ok(ensure(
        master.port() == set.nodes()[0].port(),
        "the first is the master",
    )
    .and_then(|()| ensure(told == ["OK", "2"], &format!("{told:?}")))
    .and_then(|()| ensure(url.starts_with("redis+sentinel://tokenkeep:k33p%2F"), &url))
    .and_then(|()| ensure(url.contains(&sentinels) && url.ends_with(&end), &url)))
}

fn guarded(start: Start) -> Result<Told> {
    let settings = Settings::new().patient();
    let set = start(&settings.clone().with_guarded_sentinels())?;
    let open = start(&settings)?;
    let (user, password) = set.sentinel_account();
    let sentinel = &set.sentinels()[0];
    let url = set.url("here");
    let file = sentinel.folder().join("sentinel-password");
    let written = fs::read_to_string(file).unwrap_or_default();
    set.failover()?;
    Ok(
        ensure(tells(sentinel, user, password), "refuses its account")
            .and_then(|()| ensure(!tells(sentinel, "", ""), "lets anyone in"))
            .and_then(|()| {
                let (user, password) = (sentinel.user(), sentinel.password());
                ensure(
                    !tells(sentinel, user, password),
                    "takes the servers' account",
                )
            })
            .and_then(|()| ensure(tells(&open.sentinels()[0], "", ""), "an open one refuses"))
            .and_then(|()| ensure(written == password, "the password's file"))
            .and_then(|()| {
                let end = "?namespace=here&sentinel_user=watcher&sentinel_password_file=%2F";
                ensure(url.contains(end), &url)
            }),
    )
}

/// Whether a sentinel tells who the master is, to who comes with this account or with none.
fn tells(sentinel: &Server, user: &str, password: &str) -> bool {
    let Ok(stream) = TcpStream::connect((sentinel.host(), sentinel.port())) else {
        return false;
    };
    let mut orders = vec!["SENTINEL GET-MASTER-ADDR-BY-NAME token-store\r\n".to_owned()];
    if !user.is_empty() {
        orders.insert(0, format!("AUTH {user} {password}\r\n"));
    }
    let bound = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let mut stream = BufReader::new(stream);
    let mut accepts = |order: String| {
        let mut answer = String::new();
        stream
            .get_mut()
            .write_all(order.as_bytes())
            .and_then(|()| stream.read_line(&mut answer))
            .is_ok_and(|_| answer.starts_with(['+', '*']))
    };
    bound.is_ok() && orders.into_iter().all(&mut accepts)
}

fn killed(start: Start) -> Result<Told> {
    let set = start(&Settings::new())?;
    let master = set.master()?;
    master.commands(&[&["SET", "a", "1"], &["WAIT", "2", "10000"]])?;
    let lost = set.kill_master()?;
    set.wait_for_another(lost.port())?;
    let heir = set.master()?;
    let found = heir.command(&["GET", "a"])?;
    lost.restart()?;
    set.wait_ok()?;
    heir.commands(&[&["SET", "b", "2"], &["WAIT", "2", "10000"]])?;
    let learnt = lost.command(&["GET", "b"])?;
    Ok(ensure(heir.port() != lost.port() && found == "1", &found)
        .and_then(|()| ensure(learnt == "2", "it comes back as a replica")))
}

fn frozen(start: Start) -> Result<Told> {
    let set = start(&Settings::new())?;
    let lost = set.master()?;
    lost.freeze()?;
    set.wait_for_another(lost.port())?;
    let heir = set.master()?.port();
    lost.thaw();
    set.wait_ok()?;
    let master = set.master()?.port();
    Ok(ensure(
        master == heir && heir != lost.port(),
        "one other master",
    ))
}

fn failover(start: Start) -> Result<Told> {
    let set = start(&Settings::new().patient())?;
    let first = set.master()?.port();
    set.failover()?;
    let second = set.master()?.port();
    set.failover()?;
    let third = set.master()?.port();
    Ok(ensure(
        first != second && second != third,
        &format!("{first} {second} {third}"),
    ))
}

fn sentinel_lost(start: Start) -> Result<Told> {
    let set = start(&Settings::new())?;
    set.sentinels()[0].kill()?;
    let lost = set.kill_master()?;
    set.wait_for_another(lost.port())?;
    set.sentinels()[0].restart()?;
    lost.restart()?;
    set.wait_ok()?;
    let master = set.master()?.port();
    Ok(ensure(
        master != lost.port(),
        "the sentinel that came back knows",
    ))
}

fn tls(start: Start) -> Result<Told> {
    let set = start(&Settings::new().patient().with_tls())?;
    let ca = set.nodes()[0].tls().map(|tls| tls.ca.clone());
    let all = set.nodes().iter().chain(set.sentinels());
    let one = all
        .map(|server| server.tls().map(|tls| tls.ca.clone()))
        .all(|other| other.is_some() && other == ca);
    let before = set.master()?.port();
    set.failover()?;
    let after = set.master()?.port();
    Ok(ensure(one, "one authority").and_then(|()| ensure(before != after, "another master")))
}

fn is_shared() -> Result<Told> {
    let (one, other) = (shared::sentinel()?, shared::sentinel()?);
    Ok(ensure(
        one.sentinels().len() == 3 && one.nodes()[0].port() == other.nodes()[0].port(),
        "two",
    ))
}
