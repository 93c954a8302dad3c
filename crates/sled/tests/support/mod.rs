//! What several tests need.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{
    Limits, ManualClock, Result, Timestamp, TokenDriver as _, TokenDriverExt as _, TokenFilter,
    TokenId, TokenRecord,
};
use tokenkeep_sled::{SledDriver, SledOptions, SledStore};

/// All that can go wrong in a test.
pub(crate) type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Every file below a folder, and what it holds.
pub(crate) fn files(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files)?;
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Makes a folder of such files.
pub(crate) fn lay_out(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(folder.join("blobs"))?;
    files
        .iter()
        .try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
}

/// The database of a store, without the driver.
pub(crate) fn raw(folder: &Path) -> sled::Result<sled::Db> {
    sled::Config::new()
        .path(folder)
        .segment_size(4 << 20)
        .flush_every_ms(None)
        .open()
}

pub(crate) async fn open(folder: &Path) -> Result<SledDriver> {
    SledDriver::open(options(folder), clock()).await
}

pub(crate) async fn open_store(folder: &Path) -> Result<SledStore> {
    SledStore::open(options(folder), clock()).await
}

/// With data so long that sled puts pages into files of their own.
fn options(folder: &Path) -> SledOptions {
    let limits = Limits {
        max_data_len: 1 << 20,
    };
    // Longer than the disk stands still under other programs' writes.
    let patient = Duration::from_secs(60);
    SledOptions::new(folder)
        .with_limits(limits)
        .with_timeout(patient)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::MIN))
}

/// A number's token, of the user `ada`.
pub(crate) fn record(number: u64, data: Vec<u8>) -> Result<TokenRecord> {
    let audit = format!("audit-{number}");
    let record = TokenRecord::new(id(number), &audit, "ada", Timestamp::MIN, Timestamp::MAX)?;
    Ok(record.with_tenant("engines")?.with_data(data))
}

pub(crate) fn id(number: u64) -> TokenId {
    let mut bytes = [0; TokenId::LEN];
    // Spread over the whole range, as digests are.
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[..8].copy_from_slice(&spread.to_be_bytes());
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    TokenId::from_bytes(bytes)
}

pub(crate) async fn create(
    driver: &SledDriver,
    numbers: std::ops::Range<u64>,
    len: usize,
) -> Outcome {
    let records: Result<Vec<_>> = numbers.map(|n| record(n, vec![b'd'; len])).collect();
    for created in driver.create_many(records?).await? {
        created?;
    }
    Ok(())
}

/// How many tokens are active.
pub(crate) async fn count(driver: &SledDriver) -> Outcome<usize> {
    let filter = TokenFilter::new().with_user("ada")?;
    Ok(driver.list_all(&filter).await?.len())
}
