//! A store's files that are removed, moved or replaced while the store is open.

use std::fs;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tokenkeep_core::{ErrorKind, Replacement, Timestamp, TokenDriver as _, TokenFilter};
use tokenkeep_sql::{SqlDriver, sqlite};

use crate::support::{folder, is_open, open, options, raw, record, run, says, times_open, until};

/// Not one call answers from a file that is not there any more, nor from its successor.
async fn refuses_everything(driver: &SqlDriver) {
    let change = Replacement {
        id: record(1).id,
        expires_at: Timestamp::MAX,
        data: "new".into(),
    };
    let all = TokenFilter::new().with_user("ada").unwrap();
    let errors = [
        driver.create(record(2)).await.err(),
        driver.create_many(vec![record(3)]).await.err(),
        driver.delete(&record(1).id).await.err(),
        driver.delete_tokens(&all).await.err(),
        driver.replace(change, 1).await.err(),
        driver.rotate(&record(1).id, record(5)).await.err(),
        driver.flush_expired(NonZeroU32::MIN).await.err(),
        driver.get(&record(1).id).await.err(),
        driver.check().await.err(),
    ];
    for error in errors {
        says(
            &error.unwrap(),
            ErrorKind::Unavailable,
            "replaced or removed",
        );
    }
}

async fn absent(driver: &SqlDriver, byte: u8) {
    let error = driver.get(&record(byte).id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn nothing_is_written_into_a_file_that_is_gone() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = open(&options(&file)).await.unwrap();
    driver.create(record(1)).await.unwrap();
    fs::remove_file(&file).unwrap();
    refuses_everything(&driver).await;
    assert!(!file.exists());
}

/// The removed log has what was not brought into the file yet.
#[tokio::test]
async fn nothing_is_written_into_a_log_that_is_gone() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = open(&options(&file)).await.unwrap();
    driver.create(record(1)).await.unwrap();
    fs::remove_file(folder.path().join("a.db-wal")).unwrap();
    refuses_everything(&driver).await;
}

#[tokio::test]
async fn a_driver_does_not_come_back_on_the_store_that_took_its_files_place() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let old = open(&options(&file)).await.unwrap();
    old.create(record(1)).await.unwrap();
    sqlite::drop_namespace(&options(&file)).await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let new = open(&options(&file)).await.unwrap();
    new.create(record(7)).await.unwrap();
    refuses_everything(&old).await;
    // The old driver's files go without harm to the new one's.
    drop(old);
    new.create(record(8)).await.unwrap();
    drop(new);
    until(|| !is_open(&file)).await;
    let new = open(&options(&file)).await.unwrap();
    for byte in [1, 2, 3, 5] {
        absent(&new, byte).await;
    }
    for byte in [7, 8] {
        new.get(&record(byte).id).await.unwrap();
    }
}

/// A backup has the same store's id.
#[tokio::test]
async fn a_copy_that_took_the_files_place_is_not_written_to() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let driver = open(&options(&at("a.db"))).await.unwrap();
    driver.create(record(1)).await.unwrap();
    drop(driver);
    until(|| !is_open(&at("a.db"))).await;
    fs::copy(at("a.db"), at("copy.db")).unwrap();
    let driver = open(&options(&at("a.db"))).await.unwrap();
    driver.get(&record(1).id).await.unwrap();
    for name in ["a.db-wal", "a.db-shm"] {
        fs::remove_file(at(name)).unwrap();
    }
    fs::rename(at("copy.db"), at("a.db")).unwrap();
    refuses_everything(&driver).await;
    let copy = open(&options(&at("a.db"))).await.unwrap();
    copy.get(&record(1).id).await.unwrap();
    absent(&copy, 2).await;
}

#[tokio::test]
async fn a_driver_that_only_reads_notices_too() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = open(&options(&file)).await.unwrap();
    driver.create(record(1)).await.unwrap();
    driver.get(&record(1).id).await.unwrap();
    fs::rename(&file, folder.path().join("b.db")).unwrap();
    says(
        &first_error(&driver).await,
        ErrorKind::Unavailable,
        "replaced",
    );
    // For good: others may have written meanwhile.
    fs::rename(folder.path().join("b.db"), &file).unwrap();
    refuses_everything(&driver).await;
    let again = open(&options(&file)).await.unwrap();
    again.get(&record(1).id).await.unwrap();
}

async fn first_error(driver: &SqlDriver) -> tokenkeep_core::Error {
    let began = Instant::now();
    loop {
        if let Err(error) = driver.get(&record(1).id).await {
            return error;
        }
        assert!(began.elapsed().as_secs() < 120, "it never noticed");
    }
}

#[tokio::test]
async fn what_is_removed_is_removed_under_the_writers_lock() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let patient = options(&file);
    open(&patient).await.unwrap();
    let mut other = raw(&file).await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let mut hasty = patient.clone();
    hasty.common.timeout = Duration::from_secs(4);
    let error = sqlite::drop_namespace(&hasty).await.unwrap_err();
    let held = "another program holds the file";
    says(&error, ErrorKind::Unavailable, held);
    assert!(file.exists());
    run(&mut other, "COMMIT").await;
    sqlite::drop_namespace(&patient).await.unwrap();
    assert!(!file.exists());
}

/// Whose the file is was asked of another than the one that has its place by now.
#[tokio::test]
async fn what_took_the_files_place_meanwhile_is_not_removed() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let options = options(&file);
    open(&options).await.unwrap();
    until(|| !is_open(&file)).await;
    let mut other = raw(&file).await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let dropping = tokio::spawn(async move { sqlite::drop_namespace(&options).await });
    until(|| times_open(&file) == 2).await;
    fs::rename(&file, folder.path().join("b.db")).unwrap();
    fs::write(&file, "a letter").unwrap();
    run(&mut other, "COMMIT").await;
    let error = dropping.await.unwrap().unwrap_err();
    says(&error, ErrorKind::Unavailable, "replaced or removed");
    assert_eq!(fs::read(&file).unwrap(), b"a letter");
}
