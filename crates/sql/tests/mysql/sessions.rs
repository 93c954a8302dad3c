//! How many sessions a driver has, and what becomes of those that the server has ended.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokenkeep_core::{ErrorKind, PageRequest, TokenDriver};
use tokenkeep_sql::{SqlDriver, mysql};
use tokenkeep_testkit::{Server, Settings};
use tokio::time::timeout;

use crate::holder::{Holder, until};
use crate::support::{
    fresh_record, id, manual_clock, of_user, open, options, own_server, record, system_clock,
};

const OF_DRIVER: &str = "FROM information_schema.processlist WHERE user = 'tokenkeep'";

fn sessions(server: &Server) -> u32 {
    let sql = format!("SELECT COUNT(*) {OF_DRIVER}");
    server.sql(&sql).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_calls_have_no_more_sessions_than_the_pool() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let mut options = options(&server, "sessions");
    options.common.pool_size = 2;
    let driver = open(&options, manual_clock()).await;
    for number in [1, 2] {
        driver.create(record(number, "ada")).await.unwrap();
    }
    until("the session that opened the store has ended", || {
        sessions(&server) == 1
    });
    let row = format!(
        "SELECT 1 FROM sessions.tokens WHERE id = x'{}' FOR UPDATE",
        id(1)
    );
    let holder = Holder::new(&server, &row);
    let old = id(1);
    for _ in 0..10 {
        let call = driver.rotate(&old, fresh_record("ada"));
        let dropped = timeout(Duration::from_millis(100), call).await;
        assert!(dropped.is_err(), "{dropped:?}");
        assert!(sessions(&server) <= 2);
    }
    holder.release(&server);
    // Their places come back, and with them the locks of what they had begun.
    driver.get(&id(2)).await.unwrap();
    driver.delete(&id(1)).await.unwrap();
    // The server may still have to notice that some were closed.
    until("no more sessions than the pool", || sessions(&server) <= 2);
}

/// Opens as many sessions as the pool may have, and has the server end them all.
async fn end_sessions(server: &Server, driver: &Arc<SqlDriver>) {
    // Listings that happen not to meet share a session.
    for _ in 0..100 {
        let lists = (0..16).map(|_| {
            let driver = Arc::clone(driver);
            tokio::spawn(async move {
                let page = PageRequest::new(100).unwrap();
                driver.list(&of_user("ada"), &page).await.map(|_| ())
            })
        });
        for list in join_all(lists).await {
            list.unwrap().unwrap();
        }
        if sessions(server) > 2 {
            break;
        }
    }
    assert!(sessions(server) > 2);
    server.sql("KILL USER tokenkeep").unwrap();
    until("the sessions have ended", || sessions(server) == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_the_server_has_ended_cost_one_write_and_no_read() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let driver = Arc::new(open(&options(&server, "sessions"), manual_clock()).await);
    for number in 0..12 {
        driver.create(record(number, "ada")).await.unwrap();
    }
    end_sessions(&server, &driver).await;
    for number in 0..12 {
        driver.get(&id(number)).await.unwrap();
    }
    end_sessions(&server, &driver).await;
    let mut failed = 0;
    for number in 0..12 {
        if let Err(error) = driver.delete(&id(number)).await {
            let kinds = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
            assert!(kinds.contains(&error.kind()), "{error}");
            failed += 1;
        }
    }
    assert!(failed <= 1, "{failed} of 12 calls failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_in_a_step_ends_the_wait() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let patient = options(&server, "slow_steps");
    mysql::migrate(&patient, &*system_clock()).await.unwrap();
    server
        .sql(
            "ALTER TABLE slow_steps.tokens DROP KEY tokens_feed, DROP COLUMN revocation; \
             ALTER TABLE slow_steps.store DROP COLUMN revocations; \
             DELETE FROM slow_steps.migrations WHERE version = 2",
        )
        .unwrap();
    let lock = "SELECT COUNT(*) FROM slow_steps.tokens";
    let holder = Holder::new(&server, lock);
    let migration = tokio::spawn({
        let mut options = patient.clone();
        options.common.timeout = Duration::from_secs(8);
        async move { mysql::migrate(&options, &*system_clock()).await }
    });
    let waiting = format!("SELECT COUNT(*) {OF_DRIVER} AND state LIKE 'Waiting for table%'");
    until("the step waits", || {
        server.sql(&waiting).unwrap().trim() == "1"
    });
    server.freeze().unwrap();
    let ended = timeout(Duration::from_secs(60), migration).await;
    server.thaw();
    let error = ended.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    holder.release(&server);
    until("the frozen session is gone", || {
        server.sql(&waiting).unwrap().trim() == "0"
    });
    let status = mysql::migrate(&patient, &*system_clock()).await.unwrap();
    assert!(status.is_newest());
}
