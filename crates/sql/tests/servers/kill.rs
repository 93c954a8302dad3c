//! `kill -9` of the server under writers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokenkeep_core::{ErrorKind, PageRequest, TokenDriver, TokenId};
use tokenkeep_sql::SqlDriver;
use tokenkeep_testkit::Settings;

use crate::support::{id, open, options, own_server, record, system_clock};

const WRITERS: u64 = 16;
const KILLS: u32 = 10;
/// How many calls end well between two kills.
const CALLS: u32 = 200;

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
    done: AtomicU32,
    is_over: AtomicBool,
}

impl Ledger {
    fn note(&self, id: TokenId, told: Told) {
        self.told.lock().unwrap().insert(id, told);
    }
}

/// Stores tokens and revokes every second one, until all is over.
async fn write(driver: Arc<SqlDriver>, ledger: Arc<Ledger>, writer: u64) {
    while !ledger.is_over.load(Ordering::SeqCst) {
        let number = ledger.next.fetch_add(1, Ordering::SeqCst);
        let record = record(number, &format!("user-{writer}"));
        let id = record.id;
        ledger.note(id, Told::Unclear);
        match driver.create(record).await {
            Ok(()) => ledger.note(id, Told::Stored),
            Err(error) => {
                expected(error.kind());
                continue;
            }
        }
        ledger.done.fetch_add(1, Ordering::SeqCst);
        if number.is_multiple_of(2) {
            ledger.note(id, Told::Unclear);
            match driver.delete(&id).await {
                Ok(()) => ledger.note(id, Told::Revoked),
                Err(error) => expected(error.kind()),
            }
        }
    }
}

fn expected(kind: ErrorKind) {
    let is_expected = matches!(kind, ErrorKind::Unavailable | ErrorKind::Indeterminate);
    assert!(is_expected, "{kind}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_revoked_comes_back() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let server = Arc::new(server);
    let mut options = options(&server, "kill");
    options.common.timeout = Duration::from_secs(5);
    let driver = Arc::new(open(&options, system_clock()).await);
    let ledger = Arc::new(Ledger::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&driver), Arc::clone(&ledger), writer)))
        .collect();
    for _ in 0..KILLS {
        ledger.done.store(0, Ordering::SeqCst);
        let began = Instant::now();
        // The same driver recovers: this ends only once calls go through again.
        while ledger.done.load(Ordering::SeqCst) < CALLS {
            assert!(
                began.elapsed() < Duration::from_secs(180),
                "the driver does not recover"
            );
            tokio::task::yield_now().await;
        }
        let server = Arc::clone(&server);
        let again = move || server.kill().and_then(|()| server.restart());
        tokio::task::spawn_blocking(again).await.unwrap().unwrap();
    }
    ledger.is_over.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    // One more, so that what the last calls were told is looked at on disk.
    server.kill().unwrap();
    server.restart().unwrap();
    look(&driver, &ledger).await;
}

async fn look(driver: &SqlDriver, ledger: &Ledger) {
    let told = ledger.told.lock().unwrap().clone();
    let count = |wanted: Told| told.values().filter(|told| **told == wanted).count();
    assert!(count(Told::Stored) > 500 && count(Told::Revoked) > 500);
    for number in 0..told.len() as u64 {
        let id = id(number);
        let is_active = loop {
            match driver.get(&id).await {
                Ok(_) => break true,
                Err(error) if error.kind() == ErrorKind::NotFound => break false,
                Err(error) => expected(error.kind()),
            }
        };
        match told[&id] {
            Told::Stored => assert!(is_active, "token {number} was acknowledged and is lost"),
            Told::Revoked => assert!(!is_active, "token {number} was revoked and is back"),
            Told::Unclear => {}
        }
    }
    let feed = feed(driver).await;
    for (id, told) in told {
        assert!(
            told != Told::Revoked || feed.contains(&id),
            "a revocation is not in the feed"
        );
    }
}

async fn feed(driver: &SqlDriver) -> std::collections::HashSet<TokenId> {
    let mut seen = std::collections::HashSet::new();
    let mut request = PageRequest::new(1_000).unwrap();
    loop {
        let page = driver.list_revoked(&request).await.unwrap();
        seen.extend(page.items.iter().map(|token| token.id));
        if !page.more {
            return seen;
        }
        request = request.after(page.cursor);
    }
}
