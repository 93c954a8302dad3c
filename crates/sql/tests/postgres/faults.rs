//! What a server's refusals mean, each brought about on a real one.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_sql::postgres;
use tokenkeep_testkit::{Server, Settings};

use crate::holder::{Holder, until};
use crate::support::{fresh_record, id, manual_clock, of_user, open, options, own_server, record};

#[tokio::test]
async fn too_many_connections_are_unavailable_and_pass() {
    let few = Settings::new()
        .relaxed()
        .with_option("max_connections", "6")
        .with_option("superuser_reserved_connections", "2");
    let Some(server) = own_server(&few) else {
        return;
    };
    let options = options(&server, "faults");
    let driver = open(&options, manual_clock()).await;
    // Each driver holds one of the four connections that others than administrators may have.
    let mut others = Vec::new();
    for number in 0..8 {
        let mut options = options.clone();
        options.namespace = format!("faults_{}", number % 2);
        match postgres::open(&options, manual_clock()).await {
            Ok(other) => others.push(other),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.to_string().contains("53300"), "{error}");
            }
        }
    }
    assert!(others.len() < 4, "some were refused");
    driver.create(fresh_record("ada")).await.unwrap();
    drop(others);
    until("the others' connections are free", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tokenkeep'";
        server.sql(sql).unwrap().trim() == "1"
    });
    open(&options, manual_clock()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_locked_for_long_makes_a_write_a_plain_refusal() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let mut options = options(&server, "faults");
    let driver = open(&options, manual_clock()).await;
    for number in [1, 2] {
        driver.create(record(number, "ada")).await.unwrap();
    }
    options.common.timeout = Duration::from_secs(8);
    let hasty = open(&options, manual_clock()).await;
    let row = format!(
        "SELECT 1 FROM faults.tokens WHERE id = '\\x{}' FOR UPDATE",
        id(1)
    );
    let holder = Holder::new(&server, &row);
    let error = hasty.delete(&id(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("55P03"), "{error}");
    // Nobody else is held up by it, and reads of the same row are not either.
    hasty.get(&id(1)).await.unwrap();
    hasty.delete(&id(2)).await.unwrap();
    drop(holder);
    driver.delete(&id(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_cancelled_and_not_applied() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let mut options = options(&server, "faults");
    open(&options, manual_clock()).await;
    options.common.timeout = Duration::from_secs(10);
    let driver = open(&options, manual_clock()).await;
    options.statement_timeout = Some(Duration::from_secs(2));
    let hasty = open(&options, manual_clock()).await;
    server
        .sql(
            "CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(100); RETURN NEW; END $$; \
             CREATE TRIGGER dawdle BEFORE INSERT ON faults.tokens \
             FOR EACH ROW EXECUTE FUNCTION public.dawdle()",
        )
        .unwrap();
    for driver in [driver, hasty] {
        let record = fresh_record("ada");
        let error = driver.create(record.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("57014"), "{error}");
        let error = driver.get(&record.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_server_ends_leaves_a_write_in_doubt() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let driver = Arc::new(open(&options(&server, "faults"), manual_clock()).await);
    driver.create(record(1, "ada")).await.unwrap();
    let row = format!(
        "SELECT 1 FROM faults.tokens WHERE id = '\\x{}' FOR UPDATE",
        id(1)
    );
    let holder = Holder::new(&server, &row);
    let call = tokio::spawn({
        let driver = Arc::clone(&driver);
        async move { driver.delete(&id(1)).await }
    });
    let waiting = "FROM pg_stat_activity WHERE application_name = 'tokenkeep' \
                   AND wait_event_type = 'Lock'";
    let count = format!("SELECT count(*) {waiting}");
    until("the call waits", || {
        server.sql(&count).unwrap().trim() == "1"
    });
    server
        .sql(&format!("SELECT pg_terminate_backend(pid) {waiting}"))
        .unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    drop(holder);
    // The same driver goes on.
    driver.delete(&id(1)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_passes() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let driver = open(&options(&server, "faults"), manual_clock()).await;
    let Some(disk) = Disk::mount(&server, "faults") else {
        return;
    };
    let mut stored = Vec::new();
    let refused = loop {
        assert!(stored.len() < 10_000, "the disk never gets full");
        let record = fresh_record("ada").with_data(noise(60_000));
        let id = record.id;
        match driver.create(record).await {
            Ok(()) => stored.push(id),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(refused.to_string().contains("53100"), "{refused}");
    assert!(!stored.is_empty());
    for id in &stored {
        driver.get(id).await.unwrap();
    }
    disk.grow();
    driver.create(fresh_record("ada")).await.unwrap();
    let revoked = driver.delete_tokens(&of_user("ada")).await.unwrap();
    assert_eq!(revoked.len(), stored.len() + 1);
}

/// Data that no compressor makes small.
fn noise(length: u64) -> Vec<u8> {
    let mut state = 1_u64;
    let byte = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(byte).collect()
}

/// A small file system that holds a store's tables.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// None where this process may not mount, which is told.
    fn mount(server: &Server, namespace: &str) -> Option<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tokenkeep-disk-")
            .tempdir_in("/tmp")
            .unwrap();
        let size = ["-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs"];
        let mounted = std::process::Command::new("mount")
            .args(size)
            .arg(folder.path())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            let missing: tokenkeep_testkit::Result<()> = Err(tokenkeep_testkit::Error::Missing(
                "this account may not mount a small file system".to_owned(),
            ));
            tokenkeep_testkit::require_or_tell(missing)?;
        }
        let disk = Self { folder };
        let path = disk.folder.path().join("space");
        std::fs::create_dir(&path).unwrap();
        let data = server.data_folder();
        let owner = ["--reference".into(), data.into_os_string()];
        let status = std::process::Command::new("chown")
            .args(owner)
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
        let path = path.display();
        server
            .sql(&format!("CREATE TABLESPACE small LOCATION '{path}'"))
            .unwrap();
        let move_there = format!("ALTER TABLE {namespace}.tokens SET TABLESPACE small");
        server.sql(&move_there).unwrap();
        Some(disk)
    }

    fn grow(&self) {
        let status = std::process::Command::new("mount")
            .args(["-o", "remount,size=64m"])
            .arg(self.folder.path())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The server may still hold its files: taken away from the tree at once all the same.
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(self.folder.path())
            .status();
    }
}
