//! A Cluster that loses a master, or moves slots, under writers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokenkeep_core::{ErrorKind, PageRequest, TokenDriver, TokenId};
use tokenkeep_redis::RedisDriver;
use tokenkeep_testkit::{Cluster, Result, Settings, require_or_tell};

use crate::support::{cluster_options, of_user, open, record, system_clock};

const WRITERS: u64 = 16;
/// How many calls end well before something is done, and again after.
const CALLS: u64 = 400;

/// What the writers were told of each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stored,
    Revoked,
    /// The last call about it ended in doubt or was refused.
    Unclear,
}

#[derive(Default)]
struct Ledger {
    told: Mutex<HashMap<TokenId, Told>>,
    next: AtomicU64,
    done: AtomicU64,
    is_over: AtomicBool,
}

impl Ledger {
    fn note(&self, id: TokenId, told: Told) {
        self.told.lock().unwrap().insert(id, told);
    }

    /// Waits until so many further calls ended well.
    async fn go_on(&self, calls: u64) {
        let (began, until) = (Instant::now(), self.done.load(Ordering::SeqCst) + calls);
        while self.done.load(Ordering::SeqCst) < until {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the writers do not go on"
            );
            tokio::task::yield_now().await;
        }
    }
}

/// Stores tokens and revokes every second one, until all is over.
async fn write(driver: Arc<RedisDriver>, ledger: Arc<Ledger>) {
    while !ledger.is_over.load(Ordering::SeqCst) {
        let number = ledger.next.fetch_add(1, Ordering::SeqCst);
        let token = record(number, "ada");
        ledger.note(token.id, Told::Unclear);
        if !is_done(driver.create(token.clone()).await) {
            continue;
        }
        ledger.done.fetch_add(1, Ordering::SeqCst);
        if number.is_multiple_of(2) {
            ledger.note(token.id, Told::Stored);
        } else if is_done(driver.delete(&token.id).await) {
            ledger.note(token.id, Told::Revoked);
        }
    }
}

fn is_done(answer: tokenkeep_core::Result<()>) -> bool {
    let kind = answer.err().map(|error| error.kind());
    let is_expected = matches!(
        kind,
        None | Some(ErrorKind::Unavailable | ErrorKind::Indeterminate)
    );
    assert!(is_expected, "{kind:?}");
    kind.is_none()
}

/// Does these things to a Cluster one after the other, while writers go on before, between and after.
async fn beside_writers(cluster: Cluster, namespace: &str, acts: &[fn(&Cluster) -> Result<()>]) {
    let cluster = Arc::new(cluster);
    let mut options = cluster_options(&cluster, namespace);
    options.timeout = Duration::from_secs(5);
    let driver = Arc::new(open(&options, system_clock()).await);
    let ledger = Arc::new(Ledger::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write(Arc::clone(&driver), Arc::clone(&ledger))))
        .collect();
    for act in acts.iter().copied() {
        ledger.go_on(CALLS).await;
        let cluster = Arc::clone(&cluster);
        let done = tokio::task::spawn_blocking(move || act(&cluster));
        done.await.unwrap().unwrap();
    }
    ledger.go_on(CALLS).await;
    ledger.is_over.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    look(&driver, &ledger).await;
}

fn lose_master_of(cluster: &Cluster, slot: u16) -> Result<()> {
    let master = cluster.master_of_slot(slot)?;
    master.kill()?;
    cluster.wait_for_successor(master)?;
    master.restart()?;
    cluster.wait_ok()
}

/// Moves the first shards of every store to the master of a slot, key by key.
fn move_shards(cluster: &Cluster, slot: u16) -> Result<()> {
    let to = cluster.master_of_slot(slot)?;
    for shard in [247, 511, 513, 949] {
        cluster.move_slots_stepwise(shard..=shard, to, |_| {})?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_master_takes_nothing_acknowledged_with_it() {
    let Some(cluster) = require_or_tell(Cluster::redis(3, 1, &Settings::new())) else {
        return;
    };
    let acts: [fn(&Cluster) -> Result<()>; 2] = [
        |cluster| lose_master_of(cluster, 0),
        |cluster| lose_master_of(cluster, 16_383),
    ];
    beside_writers(cluster, "failover", &acts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_move_take_nothing_with_them() {
    let Some(cluster) = require_or_tell(Cluster::redis(3, 1, &Settings::new().patient())) else {
        return;
    };
    let acts: [fn(&Cluster) -> Result<()>; 3] = [
        |cluster| move_shards(cluster, 16_383),
        |cluster| move_shards(cluster, 8_000),
        |cluster| move_shards(cluster, 0),
    ];
    beside_writers(cluster, "moving", &acts).await;
}

async fn look(driver: &RedisDriver, ledger: &Ledger) {
    let told = ledger.told.lock().unwrap().clone();
    let feed = feed(driver).await;
    for (id, told) in &told {
        let is_active = match driver.get(id).await {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => panic!("{error}"),
        };
        match told {
            Told::Stored => assert!(is_active, "a token was acknowledged and is lost"),
            Told::Revoked => {
                assert!(!is_active, "a token was revoked and is back");
                assert!(feed.contains(id), "a revocation is not in the feed");
            }
            Told::Unclear => {}
        }
    }
    let revoked = driver.delete_tokens(&of_user("ada")).await.unwrap();
    let revoked: HashSet<_> = revoked.into_iter().collect();
    for (id, told) in told {
        assert!(
            told != Told::Stored || revoked.contains(&id),
            "bulk revocation missed a token"
        );
    }
}

async fn feed(driver: &RedisDriver) -> HashSet<TokenId> {
    let mut seen = HashSet::new();
    let mut request = PageRequest::default();
    loop {
        let page = driver.list_revoked(&request).await.unwrap();
        seen.extend(page.items.iter().map(|token| token.id));
        if !page.more {
            return seen;
        }
        request = request.after(page.cursor);
    }
}
