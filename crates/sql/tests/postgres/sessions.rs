//! How many sessions a driver has, and what becomes of those that the server has ended.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokenkeep_core::{ErrorKind, PageRequest, TokenDriver};
use tokenkeep_sql::SqlDriver;
use tokenkeep_testkit::{Server, Settings};
use tokio::time::timeout;

use crate::holder::{Holder, until};
use crate::support::{fresh_record, id, manual_clock, of_user, open, options, own_server, record};

fn sessions(server: &Server) -> u32 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tokenkeep'";
    server.sql(sql).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_calls_have_no_more_sessions_than_the_pool() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
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
        "SELECT 1 FROM sessions.tokens WHERE id = '\\x{}' FOR UPDATE",
        id(1)
    );
    let holder = Holder::new(&server, &row);
    for _ in 0..10 {
        let old = id(1);
        let call = driver.rotate(&old, fresh_record("ada"));
        let dropped = timeout(Duration::from_millis(100), call).await;
        assert!(dropped.is_err(), "{dropped:?}");
        assert!(sessions(&server) <= 2);
    }
    drop(holder);
    // Their places come back, and what they were at work on was done or not.
    driver.get(&id(2)).await.unwrap();
    driver.create(fresh_record("ada")).await.unwrap();
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
    server
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'tokenkeep'",
        )
        .unwrap();
    until("the sessions have ended", || sessions(server) == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_the_server_has_ended_cost_one_write_and_no_read() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
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
            assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
            failed += 1;
        }
    }
    assert!(failed <= 1, "{failed} of 12 calls failed");
}
