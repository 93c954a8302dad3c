//! The steps of the schema, with data in place.

use std::time::{Duration, Instant};

use tokenkeep_core::{Clock, ErrorKind, PageRequest, TokenDriver};
use tokenkeep_sql::{Migrations, ServerOptions, mysql};
use tokenkeep_testkit::Server;

use crate::holder::Holder;
use crate::support::{
    fresh_record, id, manual_clock, of_user, open, options, record, shared_server, system_clock,
};

const FIRST_STEP: &str = include_str!("../../src/mysql/migrations/0001_tokens.sql");

const SECOND_STEP: &str = include_str!("../../src/mysql/migrations/0002_feed.sql");

const NOTES: &str = "CREATE TABLE migrations (version BIGINT NOT NULL PRIMARY KEY, \
     name VARBINARY(255) NOT NULL, applied_at BIGINT NOT NULL)";

/// Makes a store as it was at version 1, with one active token and three revoked ones.
fn store_of_version_1(server: &Server, namespace: &str) {
    let row = |number: u64, revoked_at: &str| {
        let id = id(number);
        format!(
            "INSERT INTO tokens (id, audit_id, audit_chain_id, user_id, issued_at, expires_at, \
             version, revoked_at, data) VALUES \
             (X'{id}', 'audit-{number}', 'chain', 'ada', 1, 4000000000000000, 1, {revoked_at}, 'x');"
        )
    };
    let rows = [row(1, "NULL"), row(2, "70"), row(3, "50"), row(4, "50")].concat();
    let sql = format!(
        "CREATE DATABASE {namespace}; USE {namespace}; {NOTES}; \
         INSERT INTO migrations VALUES (1, 'tokens', 5); {FIRST_STEP} \
         INSERT INTO store (one, id) VALUES (1, -7); {rows}"
    );
    server.sql(&sql).unwrap();
}

fn columns(server: &Server, namespace: &str) -> String {
    let sql = format!(
        "SELECT table_name, column_name, column_type, is_nullable, column_key \
         FROM information_schema.columns WHERE table_schema = '{namespace}' ORDER BY 1, 2; \
         SELECT table_name, index_name, seq_in_index, column_name \
         FROM information_schema.statistics WHERE table_schema = '{namespace}' ORDER BY 1, 2, 3"
    );
    server.sql(&sql).unwrap()
}

#[tokio::test]
async fn each_step_keeps_what_is_stored_and_leads_to_what_a_new_store_has() {
    let Some(server) = shared_server() else {
        return;
    };
    store_of_version_1(server, "migrations_walk");
    let old = options(server, "migrations_walk");
    let before = mysql::schema_status(&old).await.unwrap();
    let applied: Vec<_> = before.steps.iter().map(|step| step.applied).collect();
    assert_eq!(applied, [true, false]);

    let clock = manual_clock();
    let after = mysql::migrate(&old, clock.as_ref()).await.unwrap();
    let applied_now: Vec<_> = after.steps.iter().map(|step| step.applied_now).collect();
    assert_eq!(applied_now, [false, true]);
    assert!(after.is_newest());
    let noted = server.sql("SELECT applied_at FROM migrations_walk.migrations WHERE version = 2");
    assert_eq!(noted.unwrap().trim(), clock.now().as_micros().to_string());

    let driver = open(&old, clock).await;
    assert_eq!(driver.get(&id(1)).await.unwrap().data.as_ref(), b"x");
    // Places in the feed: by instant, then by id; the next revocation comes behind them.
    driver.delete(&id(1)).await.unwrap();
    let page = PageRequest::new(10).unwrap();
    let feed = driver.list_revoked(&page).await.unwrap();
    let order: Vec<_> = feed.items.iter().map(|token| token.id).collect();
    assert_eq!(order, [id(3), id(4), id(2), id(1)]);

    let new = options(server, "migrations_walk_new");
    open(&new, system_clock()).await;
    assert_eq!(
        columns(server, "migrations_walk"),
        columns(server, "migrations_walk_new"),
    );
}

#[tokio::test]
async fn ten_nodes_that_start_at_once_make_one_store() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = options(server, "migrations_ten");
    let nodes = (0..10).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { open(&options, system_clock()).await })
    });
    let nodes = futures::future::join_all(nodes).await;
    let record = fresh_record("ada");
    nodes[0]
        .as_ref()
        .unwrap()
        .create(record.clone())
        .await
        .unwrap();
    for node in nodes {
        assert_eq!(node.unwrap().get(&record.id).await.unwrap(), record);
    }
    let stores = server.sql("SELECT count(*) FROM migrations_ten.store");
    assert_eq!(stores.unwrap().trim(), "1");
}

#[tokio::test]
async fn looking_changes_nothing_and_opening_with_check_refuses() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut options = options(server, "migrations_look");
    options.common.migrations = Migrations::Check;
    let status = mysql::schema_status(&options).await.unwrap();
    assert!(
        status
            .steps
            .iter()
            .all(|step| !step.applied && !step.applied_now)
    );
    assert_eq!(status.steps.len(), 2);
    let error = mysql::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let schemas = "SELECT COUNT(*) FROM information_schema.schemata \
                   WHERE schema_name = 'migrations_look'";
    assert_eq!(server.sql(schemas).unwrap().trim(), "0");
}

#[tokio::test]
async fn a_newer_store_is_refused_with_both_versions() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = options(server, "migrations_newer");
    open(&options, system_clock()).await;
    let note = "INSERT INTO migrations_newer.migrations VALUES (3, 'future', 5)";
    server.sql(note).unwrap();
    for error in [
        mysql::open(&options, system_clock()).await.unwrap_err(),
        mysql::migrate(&options, &tokenkeep_core::SystemClock)
            .await
            .unwrap_err(),
        mysql::schema_status(&options).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let text = error.to_string();
        assert!(
            text.contains("version 3") && text.contains("up to 2"),
            "{text}"
        );
    }
}

/// An account that may do no more than the docs say a node needs.
fn plain_account(server: &Server, owner: &ServerOptions) -> ServerOptions {
    let namespace = &owner.namespace;
    server
        .sql(&format!(
            "CREATE USER plain_account IDENTIFIED BY 'x'; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON {namespace}.tokens TO plain_account; \
             GRANT SELECT, UPDATE ON {namespace}.store TO plain_account; \
             GRANT SELECT ON {namespace}.migrations TO plain_account"
        ))
        .unwrap();
    let mut options = owner.clone();
    options.user = "plain_account".to_owned();
    options.password = Some("x".to_owned().into());
    options
}

#[tokio::test]
async fn an_account_that_may_only_read_and_write_rows_uses_a_store_that_is_up_to_date() {
    let Some(server) = shared_server() else {
        return;
    };
    let owner = options(server, "migrations_account");
    open(&owner, system_clock()).await;
    let plain = plain_account(server, &owner);
    let driver = open(&plain, manual_clock()).await;
    for number in 1..=3 {
        driver.create(record(number, "ada")).await.unwrap();
    }
    driver.delete(&id(1)).await.unwrap();
    driver.rotate(&id(2), record(4, "ada")).await.unwrap();
    assert_eq!(
        driver.delete_tokens(&of_user("ada")).await.unwrap().len(),
        2
    );
    driver
        .flush_expired(std::num::NonZeroU32::MAX)
        .await
        .unwrap();
    driver.check().await.unwrap();
}

#[tokio::test]
async fn a_node_waits_no_longer_for_another_one_than_it_may() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut options = options(server, "migrations_wait");
    let patient = options.common.timeout;
    options.common.timeout = Duration::from_secs(10);
    // As a second implementation would name it.
    let lock = "DO GET_LOCK(CONCAT('tokenkeep ', LEFT(SHA2('migrations_wait', 256), 40)), 9)";
    let holder = Holder::new(server, lock);
    let began = Instant::now();
    let error = mysql::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(60));
    holder.release(server);
    options.common.timeout = patient;
    open(&options, system_clock()).await;
}

/// Statements of a step, cut off after each: what a node leaves that ends in the middle.
#[tokio::test]
async fn a_step_that_was_cut_anywhere_is_applied_by_the_next_node() {
    let Some(server) = shared_server() else {
        return;
    };
    let statements = |step: &'static str| {
        let parts = step.split_inclusive(';');
        parts.filter(|part| part.contains(';')).collect::<Vec<_>>()
    };
    open(&options(server, "migrations_whole"), system_clock()).await;
    let whole = columns(server, "migrations_whole");
    for count in 0..=statements(FIRST_STEP).len() {
        let namespace = format!("migrations_cut_1_{count}");
        let part = statements(FIRST_STEP)[..count].concat();
        server
            .sql(&format!(
                "CREATE DATABASE {namespace}; USE {namespace}; {NOTES}; {part}"
            ))
            .unwrap();
        check_store(server, &namespace, &whole, &[]).await;
    }
    for count in 0..=statements(SECOND_STEP).len() {
        let namespace = format!("migrations_cut_2_{count}");
        store_of_version_1(server, &namespace);
        let part = statements(SECOND_STEP)[..count].concat();
        server.sql(&format!("USE {namespace}; {part}")).unwrap();
        check_store(server, &namespace, &whole, &[3, 4, 2]).await;
    }
}

/// The store opens, has the schema of any other, and this feed, which goes on.
async fn check_store(server: &Server, namespace: &str, whole: &str, feed: &[u64]) {
    let driver = open(&options(server, namespace), manual_clock()).await;
    assert_eq!(columns(server, namespace), whole, "{namespace}");
    let new = fresh_record("ada");
    driver.create(new.clone()).await.unwrap();
    driver.delete(&new.id).await.unwrap();
    let page = PageRequest::new(10).unwrap();
    let found = driver.list_revoked(&page).await.unwrap();
    let found: Vec<_> = found.items.iter().map(|token| token.id).collect();
    let wanted = feed.iter().map(|number| id(*number)).chain([new.id]);
    assert_eq!(found, wanted.collect::<Vec<_>>(), "{namespace}");
}
