//! Files and rows that make no sense.

use std::fs;
use std::sync::Arc;

use tokenkeep_core::{ErrorKind, TokenDriver as _, TokenFilter};

use crate::support::{folder, is_open, open, options, raw, record, run, says, until};

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
