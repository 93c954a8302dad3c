//! A server without room.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tokenkeep_core::{Clock, ErrorKind, TokenDriver};
use tokenkeep_testkit::Settings;

use crate::holder::until;
use crate::support::{fresh_record, manual_clock, open, options, own_server};

/// The server's one tablespace has a limit. (One whose disk has is no test of ours: it ends itself
/// where a table cannot grow.)
#[tokio::test]
async fn a_full_server_is_unavailable_and_passes() {
    let settings = Settings::new()
        .with_option("innodb-file-per-table", "OFF")
        .with_option("innodb-data-file-path", "ibdata1:12M:autoextend:max:24M");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let clock = manual_clock();
    let driver = open(&options(&server, "full"), clock.clone()).await;
    let soon = clock.now().saturating_add(Duration::from_secs(5));
    let mut stored = Vec::new();
    let refused = loop {
        assert!(stored.len() < 10_000, "the server never gets full");
        let mut record = fresh_record("ada").with_data(vec![7; 60_000]);
        record.expires_at = soon;
        let id = record.id;
        match driver.create(record).await {
            Ok(()) => stored.push(id),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(refused.to_string().contains("(1114)"), "{refused}");
    assert!(stored.len() > 10);
    for id in &stored {
        driver.get(id).await.unwrap();
    }
    clock.advance(Duration::from_secs(6));
    let began = Instant::now();
    let flushed = loop {
        match driver.flush_expired(NonZeroU32::MAX).await {
            Ok(flushed) => break flushed,
            // The server has yet to tidy up after the write that it refused: even to remove takes room.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no room again");
    };
    assert_eq!(flushed.removed, stored.len() as u64);
    until("the server has tidied up", || {
        let sql = "SELECT variable_value FROM information_schema.global_status \
                   WHERE variable_name = 'INNODB_HISTORY_LIST_LENGTH'";
        server.sql(sql).unwrap().trim() == "0"
    });
    let new = fresh_record("ada").with_data(vec![7; 60_000]);
    driver.create(new).await.unwrap();
}
