//! Another program's transactions, and calls that are given up beside them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::{ErrorKind, Replacement, Timestamp, TokenDriver as _, TokenFilter};
use tokenkeep_sql::sqlite;

use crate::support::{clock, folder, is_open, open, options, raw, record, run, says, until};

#[tokio::test]
async fn another_programs_transaction_holds_up_writes_alone_and_not_for_long() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let mut options = options(&file);
    let patient = open(&options).await.unwrap();
    let stored = record(1);
    patient.create(stored.clone()).await.unwrap();
    // Each of its own process, as it were, and long enough that each hears of its wait's end in time.
    options.common.timeout = Duration::from_secs(12);
    let mut drivers = Vec::new();
    for _ in 0..7 {
        drivers.push(open(&options).await.unwrap());
    }
    let mut other = raw(&file).await;
    run(&mut other, "BEGIN IMMEDIATE").await;

    let change = Replacement {
        id: stored.id,
        expires_at: Timestamp::MAX,
        data: "new".into(),
    };
    let all = TokenFilter::new().with_user("ada").unwrap();
    let began = Instant::now();
    let (a, b, c, d, e, f, g) = tokio::join!(
        drivers[0].create(record(2)),
        drivers[1].create_many(vec![record(3), record(4)]),
        drivers[2].delete(&stored.id),
        drivers[3].delete_tokens(&all),
        drivers[4].replace(change, 1),
        drivers[5].rotate(&stored.id, record(5)),
        drivers[6].flush_expired(NonZeroU32::MIN),
    );
    assert!(began.elapsed() < Duration::from_secs(60));
    let errors = [
        a.err(),
        b.err(),
        c.err(),
        d.err(),
        e.err(),
        f.err(),
        g.err(),
    ];
    for error in errors {
        says(&error.unwrap(), ErrorKind::Unavailable, "another program");
    }
    assert_eq!(drivers[0].get(&stored.id).await.unwrap(), stored);
    run(&mut other, "ROLLBACK").await;
    patient.create(record(2)).await.unwrap();
    assert_eq!(patient.delete_tokens(&all).await.unwrap().len(), 2);
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

/// Nothing was done, and who reads the error knows that.
#[tokio::test]
async fn a_file_that_another_program_holds_for_long_is_not_made_a_store() {
    let folder = folder();
    for (name, begin) in [("a.db", "BEGIN IMMEDIATE"), ("b.db", "BEGIN EXCLUSIVE")] {
        let file = folder.path().join(name);
        let mut other = raw(&file).await;
        run(&mut other, begin).await;
        let mut hasty = options(&file);
        hasty.common.timeout = Duration::from_secs(4);
        let clock = clock();
        let (opened, migrated) = tokio::join!(open(&hasty), sqlite::migrate(&hasty, &*clock));
        let held = "another program holds the file";
        says(&opened.unwrap_err(), ErrorKind::Unavailable, held);
        says(&migrated.unwrap_err(), ErrorKind::Unavailable, held);
        run(&mut other, "ROLLBACK").await;
        let driver = open(&options(&file)).await.unwrap();
        driver.create(record(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_with_endless_time_writes() {
    let folder = folder();
    let mut options = options(&folder.path().join("a.db"));
    options.common.timeout = Duration::MAX;
    let driver = open(&options).await.unwrap();
    driver.create(record(1)).await.unwrap();
    driver.delete(&record(1).id).await.unwrap();
}
