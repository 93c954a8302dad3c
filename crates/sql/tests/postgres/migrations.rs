//! The steps of the schema, with data in place.

use std::time::{Duration, Instant};

use tokenkeep_core::{Clock, ErrorKind, PageRequest, TokenDriver};
use tokenkeep_sql::{Migrations, ServerOptions, postgres};
use tokenkeep_testkit::Server;

use crate::holder::Holder;
use crate::support::{
    fresh_record, id, manual_clock, of_user, open, options, record, shared_server, system_clock,
};

const FIRST_STEP: &str = include_str!("../../src/postgres/migrations/0001_tokens.sql");

/// Makes a store as it was at version 1, with one active token and three revoked ones.
fn store_of_version_1(server: &Server, namespace: &str) {
    let row = |number: u64, revoked_at: &str| {
        let id = id(number);
        format!(
            "INSERT INTO tokens (id, audit_id, audit_chain_id, user_id, issued_at, expires_at, \
             version, revoked_at, data) VALUES \
             ('\\x{id}', 'audit-{number}', 'chain', 'ada', 1, 4000000000000000, 1, {revoked_at}, 'x');"
        )
    };
    let rows = [row(1, "NULL"), row(2, "70"), row(3, "50"), row(4, "50")].concat();
    let sql = format!(
        "BEGIN; CREATE SCHEMA {namespace} AUTHORIZATION tokenkeep; \
         SET LOCAL search_path = {namespace}; SET LOCAL ROLE tokenkeep; \
         CREATE TABLE migrations (version bigint NOT NULL PRIMARY KEY, name text NOT NULL, \
         applied_at bigint NOT NULL); \
         INSERT INTO migrations VALUES (1, 'tokens', 5); {FIRST_STEP} \
         INSERT INTO store (id) VALUES (-7); {rows} COMMIT"
    );
    server.sql(&sql).unwrap();
}

fn columns(server: &Server, namespace: &str) -> String {
    let sql = format!(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns \
         WHERE table_schema = '{namespace}' ORDER BY 1, 2; \
         SELECT tablename, replace(indexdef, '{namespace}', '') FROM pg_indexes \
         WHERE schemaname = '{namespace}' ORDER BY 1, 2"
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
    let before = postgres::schema_status(&old).await.unwrap();
    let applied: Vec<_> = before.steps.iter().map(|step| step.applied).collect();
    assert_eq!(applied, [true, false]);

    let clock = manual_clock();
    let after = postgres::migrate(&old, clock.as_ref()).await.unwrap();
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
    let status = postgres::schema_status(&options).await.unwrap();
    assert!(
        status
            .steps
            .iter()
            .all(|step| !step.applied && !step.applied_now)
    );
    assert_eq!(status.steps.len(), 2);
    let error = postgres::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'migrations_look'";
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
        postgres::open(&options, system_clock()).await.unwrap_err(),
        postgres::migrate(&options, &tokenkeep_core::SystemClock)
            .await
            .unwrap_err(),
        postgres::schema_status(&options).await.unwrap_err(),
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
            "CREATE ROLE plain_account LOGIN PASSWORD 'x'; \
             GRANT USAGE ON SCHEMA {namespace} TO plain_account; \
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
    let lock = format!("SELECT pg_advisory_lock({})", lock_key(&options.namespace));
    let holder = Holder::new(server, &lock);
    let began = Instant::now();
    let error = postgres::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(60));
    drop(holder);
    options.common.timeout = patient;
    open(&options, system_clock()).await;
}

#[tokio::test]
async fn a_store_is_not_removed_while_another_node_migrates_it() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut options = options(server, "migrations_drop");
    open(&options, system_clock()).await;
    let patient = options.common.timeout;
    options.common.timeout = Duration::from_secs(10);
    let lock = format!("SELECT pg_advisory_lock({})", lock_key(&options.namespace));
    let holder = Holder::new(server, &lock);
    let error = postgres::drop_namespace(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    options.common.timeout = patient;
    let status = postgres::schema_status(&options).await.unwrap();
    assert!(status.is_newest());
    drop(holder);
    postgres::drop_namespace(&options).await.unwrap();
}

/// As a second implementation would compute it: FNV-1a of the name behind a prefix.
fn lock_key(namespace: &str) -> i64 {
    let name = format!("tokenkeep {namespace}");
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}
