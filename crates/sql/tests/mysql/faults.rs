//! What a server's refusals mean, each brought about on a real one.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_sql::mysql;
use tokenkeep_testkit::Settings;

use crate::holder::{Holder, until};
use crate::support::{fresh_record, id, manual_clock, of_user, open, options, own_server, record};

#[tokio::test]
async fn too_many_connections_are_unavailable_and_pass() {
    let few = Settings::new().with_option("max-connections", "10");
    let Some(server) = own_server(&few) else {
        return;
    };
    let options = options(&server, "faults");
    let driver = open(&options, manual_clock()).await;
    // Each driver holds one connection of the ten.
    let mut others = Vec::new();
    for number in 0..12 {
        let mut options = options.clone();
        options.namespace = format!("faults_{}", number % 2);
        match mysql::open(&options, manual_clock()).await {
            Ok(other) => others.push(other),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.to_string().contains("(1040)"), "{error}");
            }
        }
    }
    assert!(others.len() < 12, "one was refused");
    driver.create(fresh_record("ada")).await.unwrap();
    drop(others);
    until("the others' connections are free", || {
        let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'tokenkeep'";
        server.sql(sql).unwrap().trim() == "1"
    });
    open(&options, manual_clock()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_locked_for_long_makes_a_write_a_plain_refusal() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let mut options = options(&server, "faults");
    let driver = open(&options, manual_clock()).await;
    driver.create(record(1, "ada")).await.unwrap();
    options.common.timeout = Duration::from_secs(8);
    let hasty = open(&options, manual_clock()).await;
    let row = format!(
        "SELECT 1 FROM faults.tokens WHERE id = X'{}' FOR UPDATE",
        id(1)
    );
    let holder = Holder::new(&server, &row);
    let error = hasty.delete(&id(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    // A read waits for nobody.
    hasty.get(&id(1)).await.unwrap();
    holder.release(&server);
    driver.delete(&id(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_server_ends_before_the_commit_wrote_nothing() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let driver = Arc::new(open(&options(&server, "faults"), manual_clock()).await);
    driver.create(record(1, "ada")).await.unwrap();
    let row = format!(
        "SELECT 1 FROM faults.tokens WHERE id = X'{}' FOR UPDATE",
        id(1)
    );
    let holder = Holder::new(&server, &row);
    let call = tokio::spawn({
        let driver = Arc::clone(&driver);
        async move { driver.rotate(&id(1), record(2, "ada")).await }
    });
    let waiting = "FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let count = format!("SELECT COUNT(*) {waiting}");
    until("the call waits", || {
        server.sql(&count).unwrap().trim() == "1"
    });
    let thread = format!("SELECT trx_mysql_thread_id {waiting}");
    let thread = server.sql(&thread).unwrap();
    server.sql(&format!("KILL {thread}")).unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    holder.release(&server);
    // The same driver goes on.
    driver.delete(&id(1)).await.unwrap();
}

/// A lone statement that is waiting for a lock when its session ends: the driver cannot know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_server_ends_over_a_lone_statement_leaves_doubt() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let driver = Arc::new(open(&options(&server, "faults"), manual_clock()).await);
    driver.create(record(1, "ada")).await.unwrap();
    let lock = "LOCK TABLES faults.tokens READ";
    let holder = Holder::new(&server, lock);
    let call = tokio::spawn({
        let driver = Arc::clone(&driver);
        async move { driver.create(record(2, "ada")).await }
    });
    let waiting = "FROM information_schema.processlist \
                   WHERE user = 'tokenkeep' AND state LIKE 'Waiting for table%'";
    let count = format!("SELECT COUNT(*) {waiting}");
    until("the call waits", || {
        server.sql(&count).unwrap().trim() == "1"
    });
    let thread = server.sql(&format!("SELECT id {waiting}")).unwrap();
    server.sql(&format!("KILL {thread}")).unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    holder.release(&server);
    driver.create(record(3, "ada")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_only_reads_refuses_plainly_and_still_reads() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let driver = open(&options(&server, "faults"), manual_clock()).await;
    driver.create(record(1, "ada")).await.unwrap();
    server.sql("SET GLOBAL read_only = 1").unwrap();
    for error in [
        driver.create(record(2, "ada")).await.unwrap_err(),
        driver.delete(&id(1)).await.unwrap_err(),
        driver.delete_tokens(&of_user("ada")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("(1290)"), "{error}");
    }
    driver.get(&id(1)).await.unwrap();
    server.sql("SET GLOBAL read_only = 0").unwrap();
    driver.delete(&id(1)).await.unwrap();
}

/// 50,000 tokens of one user, as a service that never sleeps would have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_tokens_of_one_user_are_revoked_in_one_call() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let driver = open(&options(&server, "faults"), manual_clock()).await;
    let records = (0..50_000).map(|number| record(number, "robot"));
    for answer in driver.create_many(records.collect()).await.unwrap() {
        answer.unwrap();
    }
    let revoked = driver.delete_tokens(&of_user("robot")).await.unwrap();
    assert_eq!(revoked.len(), 50_000);
    let again = driver.delete_tokens(&of_user("robot")).await.unwrap();
    assert_eq!(again, []);
}

/// What the server cuts off may have been at its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_cut_off_and_leaves_doubt() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let mut options = options(&server, "faults");
    let driver = open(&options, manual_clock()).await;
    options.statement_timeout = Some(Duration::from_secs(2));
    let hasty = open(&options, manual_clock()).await;
    server
        .sql(
            "SET GLOBAL log_bin_trust_function_creators = 1; \
             CREATE TRIGGER faults.dawdle BEFORE INSERT ON faults.tokens FOR EACH ROW \
             SET NEW.version = 1 + SLEEP(100)",
        )
        .unwrap();
    let record = fresh_record("ada");
    let error = hasty.create(record.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    assert!(error.to_string().contains("(1969)"), "{error}");
    let error = driver.get(&record.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    server.sql("DROP TRIGGER faults.dawdle").unwrap();
    driver.create(record).await.unwrap();
}

/// The server closes a connection on which it was sent too much; the next call does not find it.
#[tokio::test]
async fn a_message_that_is_too_long_ends_no_later_call() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let mut options = options(&server, "faults");
    options.common.pool_size = 1;
    let driver = open(&options, manual_clock()).await;
    server
        .sql("SET GLOBAL max_allowed_packet = 204800")
        .unwrap();
    // A session has the limit that it began with.
    let sessions = "SELECT CONCAT('KILL ', id) FROM information_schema.processlist \
                    WHERE db = 'faults'";
    until("the session is gone", || {
        let kills = server.sql(sessions).unwrap();
        for kill in kills.lines() {
            // One that has ended by itself meanwhile is as good.
            let _ = server.sql(kill);
        }
        kills.trim().is_empty()
    });
    let _ = driver.get(&id(1)).await;
    driver.create(record(1, "ada")).await.unwrap();
    let long = (2..18).map(|number| record(number, "ada").with_data(vec![7; 60_000]));
    let long: Vec<_> = long.collect();
    // It closes with our bytes unread, so a reset may overtake its answer, which is doubt then.
    let mut tries = 0;
    loop {
        let error = driver.create_many(long.clone()).await.unwrap_err();
        if error.kind() == ErrorKind::Config {
            assert!(error.to_string().contains("(1153)"), "{error}");
            break;
        }
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
        tries += 1;
        assert!(tries < 50, "its answer never came through");
    }
    for number in 2..18 {
        let error = driver.get(&id(number)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    driver.create(record(2, "ada")).await.unwrap();
}
