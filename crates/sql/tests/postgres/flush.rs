//! Flushing beside sessions that look at an old state.

use std::num::NonZeroU32;

use tokenkeep_core::TokenDriver;
use tokenkeep_testkit::{Server, Settings};

use crate::holder::{Holder, until};
use crate::support::{manual_clock, open, options, own_server, record};

/// Each of them expired at an instant of its own.
const ROWS: &str = "\
    INSERT INTO flush.tokens (id, audit_id, audit_chain_id, user_id, issued_at, expires_at, version, data) \
    SELECT sha256(n::text::bytea), 'audit', 'audit', 'ada', 1, 1000 + n, 1, 'x' \
    FROM generate_series(0, 19999) AS n";

/// How many entries of the index on the expiry were read by sessions that have ended.
fn entries_read(server: &Server) -> u64 {
    let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tokenkeep'";
    until("the driver's sessions have ended", || {
        server.sql(ours).unwrap().trim() == "0"
    });
    let read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'tokens_expiry'";
    server.sql(read).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_step_removed_is_not_walked_over_by_the_next() {
    let settings = Settings::new().relaxed().with_option("autovacuum", "off");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let driver = open(&options(&server, "flush"), manual_clock()).await;
    server.sql(ROWS).unwrap();
    let snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM flush.tokens";
    let holder = Holder::new(&server, snapshot);
    let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (20_000, false));
    drop(driver);
    // Once to remove them and a few times over all of them at the end; 20 steps that each began at the
    // first would read 200,000 more.
    let read = entries_read(&server);
    assert!((20_000..100_000).contains(&read), "{read}");
    drop(holder);
}

#[tokio::test]
async fn what_expired_before_the_place_that_a_flush_came_to_goes_with_the_next() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let driver = open(&options(&server, "flush"), manual_clock()).await;
    server.sql(ROWS).unwrap();
    let some = NonZeroU32::new(1_000).unwrap();
    let flushed = driver.flush_expired(some).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (1_000, true));
    let early = "INSERT INTO flush.tokens SELECT sha256('early'), 'audit', 'audit', 'ada', NULL, NULL, \
                 NULL, NULL, 1, 2, 1, NULL, NULL, 'x'";
    server.sql(early).unwrap();
    driver.create(record(1, "ada")).await.unwrap();
    let all = NonZeroU32::new(30_000).unwrap();
    let flushed = driver.flush_expired(all).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (19_001, false));
}
