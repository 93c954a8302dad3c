//! Every step of the schema, with data in place.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokenkeep_core::{
    ErrorKind, ManualClock, Timestamp, TokenDriver as _, TokenDriverExt as _, TokenFilter, TokenId,
};
use tokenkeep_sql::{Migrations, SchemaStatus, SqliteOptions, sqlite};

/// A store as the first step leaves it, with two active tokens and three that were revoked, two of
/// these in one instant.
const FIRST_STEP: &str = concat!(
    include_str!("../src/sqlite/migrations/0001_tokens.sql"),
    "
    INSERT INTO store (only, id) VALUES (1, -42);
    INSERT INTO migrations (version, name, applied_at) VALUES (1, 'tokens', 0);
    INSERT INTO tokens
    SELECT unhex(printf('%064d', n)), 'audit', 'audit', 'ada', 'engines', NULL, NULL, NULL,
        5, 1000000, 1, revoked_at, NULL, 'data'
    FROM (
        SELECT 10 AS n, NULL AS revoked_at UNION ALL SELECT 11, NULL
        UNION ALL SELECT 24, 20 UNION ALL SELECT 23, 20 UNION ALL SELECT 25, 10
    );
    "
);

/// Calls may take for longer than the disk stands still under other programs' writes.
fn options(folder: &Path) -> SqliteOptions {
    let mut options = SqliteOptions::new(folder.join("a.db"));
    options.common.timeout = Duration::from_secs(60);
    options
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_micros("now", 30).unwrap()))
}

async fn raw(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    options.create_if_missing(true).connect().await.unwrap()
}

async fn run(file: &Path, sql: &'static str) {
    let mut connection = raw(file).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// The id that the statement above makes of a number.
fn id(number: u64) -> TokenId {
    format!("{number:064}").parse().unwrap()
}

fn applied(status: &SchemaStatus) -> Vec<(u32, bool, bool)> {
    let steps = status.steps.iter();
    steps
        .map(|s| (s.version, s.applied, s.applied_now))
        .collect()
}

#[tokio::test]
async fn each_step_keeps_the_data_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    run(&options.path, FIRST_STEP).await;

    let status = sqlite::schema_status(&options).await.unwrap();
    assert_eq!(applied(&status), [(1, true, false), (2, false, false)]);
    options.common.migrations = Migrations::Check;
    let error = sqlite::open(&options, clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("version 1"), "{error}");
    assert!(error.message().contains("needs 2"), "{error}");

    let status = sqlite::migrate(&options, &clock()).await.unwrap();
    assert_eq!(applied(&status), [(1, true, false), (2, true, true)]);
    let status = sqlite::migrate(&options, &clock()).await.unwrap();
    assert_eq!(applied(&status), [(1, true, false), (2, true, false)]);

    let driver = sqlite::open(&options, clock()).await.unwrap();
    let all = TokenFilter::new().with_tenant("engines").unwrap();
    let found = driver.list_all(&all).await.unwrap();
    let ids: Vec<_> = found.iter().map(|record| record.id).collect();
    assert_eq!(ids, [id(10), id(11)]);
    assert_eq!(found[0].data, "data");
    driver.delete(&id(10)).await.unwrap();
    let feed = driver.list_all_revoked().await.unwrap();
    let feed: Vec<_> = feed.iter().map(|token| token.id).collect();
    assert_eq!(feed, [id(25), id(23), id(24), id(10)]);
}

#[tokio::test]
async fn from_nothing_every_step_is_applied_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let status = sqlite::migrate(&options, &clock()).await.unwrap();
    assert_eq!(applied(&status), [(1, true, true), (2, true, true)]);
    assert!(status.is_newest());
    assert_eq!(status.namespace, options.path.display().to_string());
    let status = sqlite::schema_status(&options).await.unwrap();
    assert_eq!(applied(&status), [(1, true, false), (2, true, false)]);
}

#[tokio::test]
async fn ten_that_open_at_once_apply_each_step_once() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let options = options.clone();
                tokio::spawn(async move { sqlite::migrate(&options, &clock()).await })
            })
            .collect();
        let mut by_whom = 0;
        for task in tasks {
            let status = task.await.unwrap().unwrap();
            assert!(status.is_newest());
            by_whom += status.steps.iter().filter(|step| step.applied_now).count();
        }
        assert_eq!(by_whom, 2);
    }
}

#[tokio::test]
async fn a_newer_version_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    sqlite::migrate(&options, &clock()).await.unwrap();
    run(
        &options.path,
        "INSERT INTO migrations VALUES (77, 'from the future', 0)",
    )
    .await;
    let errors = [
        sqlite::open(&options, clock()).await.err(),
        sqlite::migrate(&options, &clock()).await.err(),
        sqlite::schema_status(&options).await.err(),
    ];
    for error in errors {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("version 77"), "{error}");
        assert!(error.message().contains("up to 2"), "{error}");
    }
    // It can still be removed.
    sqlite::drop_namespace(&options).await.unwrap();
    assert!(!options.path.exists());
}

/// A step that fails leaves nothing behind, and is applied once its obstacle is gone.
#[tokio::test]
async fn a_step_is_applied_wholly_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    run(&options.path, FIRST_STEP).await;
    // The last statement but one of the step stumbles over this.
    run(
        &options.path,
        "CREATE INDEX tokens_feed ON tokens (revoked_at)",
    )
    .await;
    let error = sqlite::migrate(&options, &clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    let status = sqlite::schema_status(&options).await.unwrap();
    assert_eq!(applied(&status), [(1, true, false), (2, false, false)]);
    run(&options.path, "DROP INDEX tokens_feed").await;
    let status = sqlite::migrate(&options, &clock()).await.unwrap();
    assert_eq!(applied(&status), [(1, true, false), (2, true, true)]);
}
