//! Relaxed durability: what it keeps, and when.

#[expect(dead_code, reason = "each test program uses a part of it")]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{Outcome, count, create, files, id, lay_out};
use tempfile::TempDir;
use tokenkeep_core::{
    Durability, ManualClock, PageRequest, Result, Timestamp, TokenDriver as _, TokenDriverExt as _,
};
use tokenkeep_sled::{SledDriver, SledDurability, SledOptions, SledStore};

async fn relaxed(folder: &Path) -> Result<SledStore> {
    // Longer than the disk stands still under other programs' writes.
    let patient = Duration::from_secs(60);
    let options = SledOptions::new(folder)
        .with_durability(SledDurability::Relaxed)
        .with_timeout(patient);
    SledStore::open(options, Arc::new(ManualClock::new(Timestamp::MIN))).await
}

/// What a process would leave that is killed now.
fn killed(folder: &Path) -> Outcome<TempDir> {
    let copy = tempfile::tempdir()?;
    lay_out(copy.path(), &files(folder)?)?;
    Ok(copy)
}

/// Waits until a kill would lose nothing any more, and gives what it would leave.
async fn flushed(folder: &Path, driver: &SledDriver) -> Outcome<TempDir> {
    let expected = (count(driver).await?, driver.list_all_revoked().await?);
    let given_up = Instant::now() + Duration::from_secs(120);
    loop {
        let copy = killed(folder)?;
        // Copied in the middle of a write it may be illegible, unlike what a real kill leaves.
        if let Ok(store) = relaxed(copy.path()).await {
            let driver = store.driver("default").await?;
            if (count(&driver).await?, driver.list_all_revoked().await?) == expected {
                return Ok(copy);
            }
        }
        if Instant::now() > given_up {
            return Err("it was never flushed".into());
        }
    }
}

#[tokio::test]
async fn a_lone_write_reaches_the_disk_by_itself() -> Outcome {
    let folder = tempfile::tempdir()?;
    let driver = relaxed(folder.path()).await?.driver("default").await?;
    assert_eq!(driver.check().await?.durability, Durability::Relaxed);
    create(&driver, 0..3, 100).await?;
    driver.delete(&id(1)).await?;
    flushed(folder.path(), &driver).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_written_is_there_after_a_clean_end() -> Outcome {
    let folder = tempfile::tempdir()?;
    for round in 0..5 {
        let store = relaxed(folder.path()).await?;
        let driver = store.driver("default").await?;
        assert_eq!(count(&driver).await?, round * 100);
        let first = round as u64 * 100;
        create(&driver, first..first + 100, 100).await?;
        drop(driver);
        if round % 2 == 0 {
            store.close().await?;
        }
    }
    Ok(())
}

/// The number of a revocation that was lost is never given again, so a cursor stays true.
#[tokio::test]
async fn a_follower_misses_nothing_after_a_lost_revocation() -> Outcome {
    let folder = tempfile::tempdir()?;
    let driver = relaxed(folder.path()).await?.driver("default").await?;
    create(&driver, 0..4, 100).await?;
    driver.delete(&id(0)).await?;
    let left = flushed(folder.path(), &driver).await?;
    driver.delete(&id(1)).await?;
    let seen = driver.list_revoked(&PageRequest::default()).await?;
    assert_eq!(seen.items.len(), 2);
    drop(driver);

    let driver = relaxed(left.path()).await?.driver("default").await?;
    assert!(driver.get(&id(1)).await.is_ok(), "its revocation was lost");
    driver.delete(&id(2)).await?;
    let page = PageRequest::default().after(seen.cursor);
    let seen = driver.list_revoked(&page).await?.items;
    let seen: Vec<_> = seen.iter().map(|token| token.id).collect();
    assert_eq!(seen, [id(2)]);
    Ok(())
}
