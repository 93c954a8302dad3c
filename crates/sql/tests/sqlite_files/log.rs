//! The log beside the file: a store without one, and one that grows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{Row as _, SqliteConnection};
use tokenkeep_core::{Durability, ErrorKind, Timestamp, TokenDriver as _, TokenId, TokenRecord};
use tokenkeep_sql::{Migrations, SqlDriver, sqlite};

use crate::support::{clock, folder, is_open, open, options, raw, record, run, says, until};

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

/// Reads with two connections in turns, so that there is always a reader.
async fn overlap(file: &Path, stop: &AtomicBool) {
    let mut readers = [raw(file).await, raw(file).await];
    begin_reading(&mut readers[0]).await;
    while !stop.load(Ordering::Relaxed) {
        begin_reading(&mut readers[1]).await;
        run(&mut readers[0], "COMMIT").await;
        readers.swap(0, 1);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_grew_behind_a_reader_is_cut_although_others_overlap() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let log = folder.path().join("a.db-wal");
    let mib = || log.metadata().unwrap().len() >> 20;
    let mut options = options(&file);
    options.common.durability = Durability::Relaxed;
    let driver = open(&options).await.unwrap();

    let mut slow = raw(&file).await;
    begin_reading(&mut slow).await;
    for round in 0..50 {
        fill(&driver, round).await;
    }
    assert!(mib() > 512, "{} MiB", mib());
    let warnings = driver.check().await.unwrap().warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("MiB"),
        "{warnings:?}"
    );

    let stop = Arc::new(AtomicBool::new(false));
    let readers = {
        let (file, stop) = (file.clone(), Arc::clone(&stop));
        tokio::spawn(async move { overlap(&file, &stop).await })
    };
    run(&mut slow, "COMMIT").await;
    // A write of each round may find the log long, and one of the next then begins it anew.
    let mut rounds = 0..2_000_u16;
    while mib() > 128 {
        let number = rounds.next().unwrap();
        let mut id = [0xff; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let id = TokenId::from_bytes(id);
        let record = TokenRecord::new(id, "audit", "ada", Timestamp::MIN, Timestamp::MAX);
        driver.create(record.unwrap()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(driver.check().await.unwrap().warnings.is_empty());
    stop.store(true, Ordering::Relaxed);
    readers.await.unwrap();
    drop((driver, slow));
    until(|| !is_open(&file)).await;
}
