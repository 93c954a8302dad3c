//! What may be in the way of a store: other programs, other files, other versions.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;
use tokenkeep_core::{
    Error, ErrorKind, ManualClock, Replacement, Result, Timestamp, TokenDriver as _, TokenFilter,
    TokenId, TokenRecord,
};
use tokenkeep_sql::{Migrations, SqlDriver, SqliteOptions, sqlite};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn options(file: &Path) -> SqliteOptions {
    let mut options = SqliteOptions::new(file);
    options.common.timeout = Duration::from_secs(10);
    options
}

async fn open(options: &SqliteOptions) -> Result<SqlDriver> {
    sqlite::open(options, Arc::new(ManualClock::new(Timestamp::MIN))).await
}

async fn raw(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    options.create_if_missing(true).connect().await.unwrap()
}

async fn run(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

fn record(byte: u8) -> TokenRecord {
    let id = TokenId::from_bytes([byte; 32]);
    TokenRecord::new(id, "audit", "ada", Timestamp::MIN, Timestamp::MAX).unwrap()
}

fn says(error: &Error, kind: ErrorKind, text: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

#[tokio::test]
async fn another_programs_transaction_holds_up_writes_alone_and_not_for_long() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let mut options = options(&file);
    options.common.timeout = Duration::from_secs(1);
    let driver = open(&options).await.unwrap();
    let stored = record(1);
    driver.create(stored.clone()).await.unwrap();
    let mut other = raw(&file).await;
    run(&mut other, "BEGIN IMMEDIATE").await;

    let change = Replacement {
        id: stored.id,
        expires_at: Timestamp::MAX,
        data: "new".into(),
    };
    let all = TokenFilter::new().with_user("ada").unwrap();
    let began = Instant::now();
    let errors = [
        driver.create(record(2)).await.err(),
        driver.create_many(vec![record(3), record(4)]).await.err(),
        driver.delete(&stored.id).await.err(),
        driver.delete_tokens(&all).await.err(),
        driver.replace(change, 1).await.err(),
        driver.rotate(&stored.id, record(5)).await.err(),
        driver.flush_expired(NonZeroU32::MIN).await.err(),
    ];
    assert!(began.elapsed() < Duration::from_secs(20));
    for error in errors {
        says(&error.unwrap(), ErrorKind::Unavailable, "another program");
    }
    assert_eq!(driver.get(&stored.id).await.unwrap(), stored);
    run(&mut other, "ROLLBACK").await;
    driver.create(record(2)).await.unwrap();
    assert_eq!(driver.delete_tokens(&all).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_short_transaction_of_another_program_is_waited_for() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = Arc::new(open(&options(&file)).await.unwrap());
    let mut other = raw(&file).await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let calls: Vec<_> = (0..20)
        .map(|byte| {
            let driver = Arc::clone(&driver);
            tokio::spawn(async move { driver.create(record(byte)).await })
        })
        .collect();
    // All are on their way once their tasks have run.
    driver.check().await.unwrap();
    run(&mut other, "COMMIT").await;
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

/// The thread that works for a connection does not hear that its call was dropped; it must not write
/// once it gets the file.
#[tokio::test]
async fn a_dropped_call_that_waited_for_another_program_is_not_done_later() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = open(&options(&file)).await.unwrap();
    let mut other = raw(&file).await;
    for byte in 0..20 {
        run(&mut other, "BEGIN IMMEDIATE").await;
        let create = driver.create(record(byte));
        let waiting = Duration::from_millis(10);
        assert!(tokio::time::timeout(waiting, create).await.is_err());
        run(&mut other, "COMMIT").await;
        driver.create(record(100 + byte)).await.unwrap();
    }
    drop(driver);
    drop(other);
    until(|| !is_open(&file)).await;
    let driver = open(&options(&file)).await.unwrap();
    for byte in 0..20 {
        let error = driver.get(&record(byte).id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        driver.get(&record(100 + byte).id).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_file_for_a_store_is_refused_and_stays_as_it_is() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let text = "no database, but long enough to be taken for one. ".repeat(100);
    fs::write(at("text"), &text).unwrap();
    run(&mut raw(&at("foreign")).await, "CREATE TABLE tokens (id)").await;
    let foreign = fs::read(at("foreign")).unwrap();

    for (name, problem) in [
        ("", "is a folder"),
        ("missing/a.db", "no folder"),
        ("text/a.db", "no folder"),
        ("text", "no SQLite database"),
        ("foreign", "another program's tables"),
    ] {
        let options = options(&at(name));
        let error = open(&options).await.unwrap_err();
        says(&error, ErrorKind::Config, problem);
        assert_eq!(error.driver(), Some("sqlite"));
        let dropped = sqlite::drop_namespace(&options).await.unwrap_err();
        says(&dropped, ErrorKind::Config, problem);
    }
    assert_eq!(fs::read(at("text")).unwrap(), text.as_bytes());
    assert_eq!(fs::read(at("foreign")).unwrap(), foreign);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_made_only_if_it_may_be() {
    let folder = folder();
    let mut options = options(&folder.path().join("a.db"));
    options.create = false;
    let error = open(&options).await.unwrap_err();
    says(&error, ErrorKind::Config, "does not exist");
    options.create = true;
    options.common.migrations = Migrations::Check;
    let error = open(&options).await.unwrap_err();
    says(&error, ErrorKind::Config, "tokenkeep migrate");
    let status = sqlite::schema_status(&options).await.unwrap();
    assert!(status.steps.iter().all(|step| !step.applied));
    assert!(!options.path.exists());
    options.common.migrations = Migrations::Auto;
    open(&options).await.unwrap();
    options.create = false;
    options.common.migrations = Migrations::Check;
    open(&options).await.unwrap();
}

/// SQLite would take such names for something else than a file.
#[tokio::test]
async fn any_name_is_a_files_name() {
    let folder = folder();
    for name in ["file:a.db?mode=memory", ":memory:", "a b%20'\"ü.db"] {
        let file = folder.path().join(name);
        let driver = open(&options(&file)).await.unwrap();
        driver.create(record(1)).await.unwrap();
        assert!(file.exists(), "{name}");
        let again = open(&options(&file)).await.unwrap();
        again.get(&record(1).id).await.unwrap();
        assert_eq!(again.check().await.unwrap().namespace, name);
    }
}

#[tokio::test]
async fn a_damaged_file_is_corrupt_and_tells_no_data() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = open(&options(&file)).await.unwrap();
    for byte in 0..200 {
        let record = record(byte).with_data("very private data".repeat(100));
        driver.create(record).await.unwrap();
    }
    drop(driver);
    until(|| !is_open(&file)).await;
    run(&mut raw(&file).await, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let mut bytes = fs::read(&file).unwrap();
    // All but the first pages, which hold the schema.
    bytes[16 * 4096..].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let driver = open(&options(&file)).await.unwrap();
    let all = TokenFilter::new().with_user("ada").unwrap();
    let error = driver.delete_tokens(&all).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(!format!("{error:?}").contains("private"));
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_corrupt_for_its_own_callers_alone() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = Arc::new(open(&options(&file)).await.unwrap());
    for byte in 0..20 {
        driver.create(record(byte)).await.unwrap();
    }
    let mut other = raw(&file).await;
    run(
        &mut other,
        "UPDATE tokens SET version = -7 WHERE hex(id) LIKE '07%'",
    )
    .await;
    let calls: Vec<_> = (0..200)
        .map(|number| {
            let driver = Arc::clone(&driver);
            let id = record(number % 20).id;
            tokio::spawn(async move { driver.get(&id).await })
        })
        .collect();
    for (call, number) in calls.into_iter().zip(0_u8..) {
        match call.await.unwrap() {
            Ok(found) => assert_eq!(found, record(number % 20)),
            Err(error) => {
                assert_eq!(number % 20, 7);
                says(&error, ErrorKind::Corrupt, "tokens.version");
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_driver_closes_its_file_and_a_dropped_namespace_is_gone() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = open(&options(&file)).await.unwrap();
    driver.create(record(1)).await.unwrap();
    driver.get(&record(1).id).await.unwrap();
    assert!(is_open(&file));
    drop(driver);
    until(|| !is_open(&file)).await;
    sqlite::drop_namespace(&options(&file)).await.unwrap();
    sqlite::drop_namespace(&options(&file)).await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let driver = open(&options(&file)).await.unwrap();
    let error = driver.get(&record(1).id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Whether this process has the file open.
fn is_open(file: &Path) -> bool {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let mut targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.any(|target| target == file)
}

async fn until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
