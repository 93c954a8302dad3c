//! What these tests need.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;
use tokenkeep_core::{Error, ErrorKind, ManualClock, Result, Timestamp, TokenId, TokenRecord};
use tokenkeep_sql::{SqlDriver, SqliteOptions, sqlite};

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Calls may take for longer than the disk stands still under other programs' writes; a test of what is
/// held up for too long says for how long that is.
pub(crate) fn options(file: &Path) -> SqliteOptions {
    let mut options = SqliteOptions::new(file);
    options.common.timeout = Duration::from_secs(60);
    options
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::MIN))
}

pub(crate) async fn open(options: &SqliteOptions) -> Result<SqlDriver> {
    sqlite::open(options, clock()).await
}

pub(crate) async fn raw(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    options.create_if_missing(true).connect().await.unwrap()
}

pub(crate) async fn run(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

pub(crate) fn record(byte: u8) -> TokenRecord {
    let id = TokenId::from_bytes([byte; 32]);
    TokenRecord::new(id, "audit", "ada", Timestamp::MIN, Timestamp::MAX).unwrap()
}

pub(crate) fn says(error: &Error, kind: ErrorKind, text: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

/// Whether this process has the file open.
pub(crate) fn is_open(file: &Path) -> bool {
    times_open(file) > 0
}

/// How often this process has the file open: once for each connection.
pub(crate) fn times_open(file: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target == file).count()
}

pub(crate) async fn until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(120), "it never came");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
