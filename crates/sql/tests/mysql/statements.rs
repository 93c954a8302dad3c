//! What a server sees of the driver: its sessions, its commits.

use std::sync::Arc;

use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_sql::mysql;
use tokenkeep_testkit::Settings;

use crate::holder::until;
use crate::support::{id, manual_clock, of_user, open, options, own_server, record};

#[tokio::test]
async fn fifty_callers_share_one_connection() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let mut options = options(&server, "spoken");
    options.common.pool_size = 1;
    let driver = Arc::new(open(&options, manual_clock()).await);
    let callers = (0..50).map(|number| {
        let driver = Arc::clone(&driver);
        tokio::spawn(async move {
            driver.create(record(number, "ada")).await.unwrap();
            driver.get(&id(number)).await.unwrap();
            driver.delete(&id(number)).await.unwrap();
            driver.get(&id(number)).await.unwrap_err()
        })
    });
    for caller in futures::future::join_all(callers).await {
        assert_eq!(caller.unwrap().kind(), ErrorKind::NotFound);
    }
    let sessions = "SELECT COUNT(*) FROM information_schema.processlist \
                    WHERE user = 'tokenkeep' AND db = 'spoken'";
    // The server may still have to notice that the one is closed that opened the store.
    until("there is one session", || {
        server.sql(sessions).unwrap().trim() == "1"
    });
}

#[tokio::test]
async fn sessions_have_the_settings_that_the_statements_count_on() {
    let settings = Settings::new()
        .with_option("transaction-isolation", "SERIALIZABLE")
        .with_option("autocommit", "OFF")
        .with_option(
            "sql-mode",
            "ANSI_QUOTES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH",
        )
        .with_option("innodb-lock-wait-timeout", "1000");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let driver = open(&options(&server, "spoken"), manual_clock()).await;
    // A trigger looks at the session of the statement that fires it.
    server
        .sql(
            "CREATE DATABASE beside; CREATE TABLE beside.seen (line TEXT); \
             SET GLOBAL log_bin_trust_function_creators = 1; \
             CREATE TRIGGER spoken.settings AFTER INSERT ON spoken.tokens FOR EACH ROW \
             INSERT INTO beside.seen VALUES (CONCAT_WS(' ', @@tx_isolation, @@autocommit, \
             @@max_statement_time, @@innodb_lock_wait_timeout)); COMMIT",
        )
        .unwrap();
    driver.create(record(1, "ada")).await.unwrap();
    let seen = server.sql("SELECT line FROM beside.seen").unwrap();
    assert_eq!(seen.trim(), "READ-COMMITTED ON 60.000000 45");
    driver.delete(&id(1)).await.unwrap();
    assert_eq!(
        driver.get(&id(1)).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

/// What a server's defaults do to a session that leaves them as they are: a commit begins the next
/// transaction, reads stop early, writes are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_defaults_change_no_meaning() {
    let settings = Settings::new().with_option("completion-type", "CHAIN");
    let Some(server) = own_server(&settings) else {
        return;
    };
    mysql::migrate(&options(&server, "spoken"), &*manual_clock())
        .await
        .unwrap();
    server
        .sql(
            "SET GLOBAL sql_select_limit = 2; SET GLOBAL sql_safe_updates = 1; \
             SET GLOBAL sql_big_selects = 0; SET GLOBAL max_join_size = 1; \
             SET GLOBAL max_sort_length = 8; SET GLOBAL tx_read_only = 1",
        )
        .unwrap();
    for namespace in ["spoken", "spoken_later"] {
        let mut options = options(&server, namespace);
        options.common.pool_size = 1;
        let driver = Arc::new(open(&options, manual_clock()).await);
        let other = open(&options, manual_clock()).await;
        let calls = (0..20).map(|number| {
            let driver = Arc::clone(&driver);
            tokio::spawn(async move { driver.create(record(number, "ada")).await })
        });
        for call in futures::future::join_all(calls).await {
            call.unwrap().unwrap();
        }
        driver.delete(&id(0)).await.unwrap();
        driver.rotate(&id(1), record(20, "ada")).await.unwrap();
        driver.create(record(21, "ada")).await.unwrap();
        // What one session has committed the others see.
        for number in 2..22 {
            other.get(&id(number)).await.unwrap();
        }
        let revoked = other.delete_tokens(&of_user("ada")).await.unwrap();
        assert_eq!(revoked.len(), 20);
    }
}
