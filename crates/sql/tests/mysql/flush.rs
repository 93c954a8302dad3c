//! A flush beside other calls: it commits in batches, and holds up nobody.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{Clock, Flushed, ManualClock, TokenDriver};
use tokenkeep_sql::SqlDriver;
use tokenkeep_testkit::{Server, Settings};

use crate::holder::Holder;
use crate::support::{id, manual_clock, of_user, open, options, own_server, record};

/// Stores so many tokens that expire in five seconds.
async fn short_lived(driver: &SqlDriver, clock: &ManualClock, count: u64) {
    let soon = clock.now().saturating_add(Duration::from_secs(5));
    let records = (0..count).map(|number| {
        let mut record = record(number, "short");
        record.expires_at = soon;
        record
    });
    for answer in driver.create_many(records.collect()).await.unwrap() {
        answer.unwrap();
    }
}

/// How many transactions of a binary log removed rows.
fn removals(server: &Server, log: &str) -> usize {
    let events = server.sql(&format!("SHOW BINLOG EVENTS IN '{log}'"));
    let (mut removals, mut has_removed) = (0, false);
    for line in events.unwrap().lines() {
        match line.split('\t').nth(2).unwrap() {
            "Gtid" => has_removed = false,
            "Delete_rows_v1" => has_removed = true,
            "Xid" if has_removed => removals += 1,
            _ => {}
        }
    }
    removals
}

#[tokio::test]
async fn each_batch_of_a_flush_is_one_commit() {
    let settings = Settings::new().with_option("binlog-format", "ROW");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let clock = manual_clock();
    let driver = open(&options(&server, "flush"), clock.clone()).await;
    short_lived(&driver, &clock, 2_500).await;
    clock.advance(Duration::from_secs(6));
    server.sql("FLUSH BINARY LOGS").unwrap();
    let log = server.sql("SHOW MASTER STATUS").unwrap();
    let log = log.split('\t').next().unwrap().to_owned();
    let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (2_500, false));
    assert_eq!(removals(&server, &log), 3);
}

/// The locks of a batch stand as long as its transaction: here without end, with every expired record
/// of the store in it, as an unlucky flush would leave them.
#[tokio::test]
async fn a_flush_that_stands_still_holds_up_no_create_get_revocation_or_other_flush() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let clock = manual_clock();
    let driver = open(&options(&server, "flush"), clock.clone()).await;
    short_lived(&driver, &clock, 1_000).await;
    for number in 2_000..2_050 {
        driver.create(record(number, "ada")).await.unwrap();
    }
    clock.advance(Duration::from_secs(6));
    let now = clock.now().as_micros();
    // The driver's own statements in the session of another client.
    let standing = format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; COMMIT; START TRANSACTION; \
         SELECT id FROM flush.tokens FORCE INDEX (tokens_expiry) WHERE expires_at <= {now} \
         ORDER BY expires_at, id LIMIT 1000 FOR UPDATE SKIP LOCKED"
    );
    let holder = Holder::new(&server, &standing);
    for number in 3_000..3_050 {
        driver.create(record(number, "ada")).await.unwrap();
    }
    driver.get(&id(2_000)).await.unwrap();
    driver.delete(&id(2_000)).await.unwrap();
    driver
        .rotate(&id(2_001), record(4_000, "ada"))
        .await
        .unwrap();
    let revoked = driver.delete_tokens(&of_user("ada")).await.unwrap();
    assert_eq!(revoked.len(), 99);
    let nothing_left = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    let expected = Flushed {
        removed: 0,
        more: true,
    };
    assert_eq!(nothing_left, expected);
    holder.release(&server);
    let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (1_000, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_nodes_that_flush_at_once_remove_each_record_once() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let clock = manual_clock();
    let options = options(&server, "flush");
    let driver = open(&options, clock.clone()).await;
    short_lived(&driver, &clock, 5_000).await;
    clock.advance(Duration::from_secs(6));
    let nodes = (0..10).map(|_| {
        let (options, clock) = (options.clone(), Arc::clone(&clock));
        tokio::spawn(async move {
            let node = open(&options, clock).await;
            let mut removed = 0;
            // One that another node was at work on is skipped, and told of.
            loop {
                let flushed = node.flush_expired(NonZeroU32::MAX).await.unwrap();
                removed += flushed.removed;
                if !flushed.more {
                    return removed;
                }
            }
        })
    });
    let removed = futures::future::join_all(nodes).await;
    let removed: u64 = removed.into_iter().map(Result::unwrap).sum();
    assert_eq!(removed, 5_000);
}
