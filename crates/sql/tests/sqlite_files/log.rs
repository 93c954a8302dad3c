//! The log beside the file: a store without one, and one that grows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Row as _, SqliteConnection};
use tokenkeep_core::{Durability, ErrorKind, Timestamp, TokenDriver as _, TokenId, TokenRecord};
use tokenkeep_sql::{Migrations, SqlDriver, sqlite};

use crate::support::{clock, folder, open, options, raw, record, run, says};

async fn mode(file: &Path) -> String {
    let mut connection = raw(file).await;
    let row = sqlx::query("PRAGMA journal_mode").fetch_one(&mut connection);
    row.await.unwrap().get(0)
}

/// A copy that SQLite makes is without a log, and readers and writers would wait for each other.
#[tokio::test]
async fn a_restored_store_gets_its_log_back() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let driver = open(&options(&at("a.db"))).await.unwrap();
    driver.create(record(1)).await.unwrap();
    for name in ["b.db", "c.db"] {
        let mut connection = raw(&at("a.db")).await;
        let copy = sqlx::query("VACUUM INTO ?").bind(at(name).display().to_string());
        copy.execute(&mut connection).await.unwrap();
        assert_eq!(mode(&at(name)).await, "delete");
    }

    let mut options_b = options(&at("b.db"));
    options_b.common.migrations = Migrations::Check;
    let error = open(&options_b).await.unwrap_err();
    says(&error, ErrorKind::Config, "without a log");
    assert_eq!(mode(&at("b.db")).await, "delete");
    sqlite::migrate(&options_b, &clock()).await.unwrap();
    assert_eq!(mode(&at("b.db")).await, "wal");
    open(&options_b).await.unwrap();

    let driver = open(&options(&at("c.db"))).await.unwrap();
    assert_eq!(mode(&at("c.db")).await, "wal");
    assert!(driver.check().await.unwrap().warnings.is_empty());
    let mut reader = raw(&at("c.db")).await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM tokens").await;
    driver.create(record(2)).await.unwrap();
    driver.get(&record(1).id).await.unwrap();
}

/// Begins to read from the store as it is now.
async fn begin_reading(reader: &mut SqliteConnection) {
    run(reader, "BEGIN; SELECT count(*) FROM store").await;
}

/// Reads for some time, over and over: with others like it there is always one that does.
async fn read_on(file: &Path, stop: &AtomicBool) {
    let mut reader = raw(file).await;
    while !stop.load(Ordering::Relaxed) {
        let long = "WITH RECURSIVE numbers (n) AS \
            (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) \
            SELECT count(*) FROM store, numbers";
        run(&mut reader, long).await;
    }
}

/// Stores some 12 MiB.
async fn fill(driver: &SqlDriver, round: u8) {
    let records = (0..200_u8).map(|number| {
        let mut id = [round; 32];
        id[0] = number;
        let id = TokenId::from_bytes(id);
        let record = TokenRecord::new(id, "audit", "ada", Timestamp::MIN, Timestamp::MAX);
        record.unwrap().with_data(vec![number; 60_000])
    });
    let answers = driver.create_many(records.collect()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
}

async fn relaxed(file: &Path) -> SqlDriver {
    let mut options = options(file);
    options.common.durability = Durability::Relaxed;
    open(&options).await.unwrap()
}

fn log_mib(file: &Path) -> u64 {
    let log = file.with_extension("db-wal");
    log.metadata().unwrap().len() >> 20
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_does_not_grow_behind_readers_that_overlap() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = relaxed(&file).await;
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (file, stop) = (file.clone(), Arc::clone(&stop));
            tokio::spawn(async move { read_on(&file, &stop).await })
        })
        .collect();
    // Each time that it begins anew what was too long is cut off. How soon that happens is for the
    // readers to say, and for the machine; by chance it hardly ever does.
    let (mut restarts, mut before, mut round) = (0, 0, 0);
    while restarts < 3 {
        assert!(round < 150, "{before} MiB after {restarts} restarts");
        fill(&driver, round).await;
        let now = log_mib(&file);
        // Over this the driver's own `check` complains.
        assert!(now <= 512, "{now} MiB after {restarts} restarts");
        restarts += u8::from(now < before);
        (before, round) = (now, round + 1);
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_log_that_cannot_begin_anew_is_reported_and_cut_later() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = relaxed(&file).await;
    let mut slow = raw(&file).await;
    begin_reading(&mut slow).await;
    for round in 0..50 {
        fill(&driver, round).await;
    }
    assert!(log_mib(&file) > 512, "{} MiB", log_mib(&file));
    let warnings = driver.check().await.unwrap().warnings;
    assert!(warnings[0].contains("MiB"), "{warnings:?}");
    run(&mut slow, "COMMIT").await;
    // The first writes have SQLite bring the rest of the log into the file.
    let began = Instant::now();
    let mut round = 50;
    while log_mib(&file) > 128 {
        assert!(began.elapsed() < Duration::from_secs(180), "it was not cut");
        round += 1;
        fill(&driver, round).await;
    }
    assert!(driver.check().await.unwrap().warnings.is_empty());
}
