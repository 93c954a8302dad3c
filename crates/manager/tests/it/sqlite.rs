use std::path::Path;
use std::sync::Arc;

use tokenkeep::{
    Durability, ErrorKind, IssueRequest, ManagerOptions, Registry, Result, StoreUrl, TokenDriver,
    TokenManager,
};

use crate::support::{clock, failure};

async fn open(url: &str) -> Result<Arc<dyn TokenDriver>> {
    Registry::builtin().open(&url.parse()?, clock()).await
}

fn url(folder: &Path, options: &str) -> String {
    format!("sqlite:{}/store.db{options}", folder.display())
}

#[tokio::test]
async fn every_option() {
    let folder = tempfile::tempdir().unwrap();
    let options = "?durability=relaxed&timeout=3s&pool_size=2&migrations=auto&create=true\
                   &max_data_len=3";
    let driver = open(&url(folder.path(), options)).await.unwrap();
    let info = driver.check().await.unwrap();
    assert_eq!(info.driver, "sqlite");
    assert_eq!(info.durability, Durability::Relaxed);
    let manager = TokenManager::new(driver, clock(), ManagerOptions::default()).unwrap();
    let big = IssueRequest::new("ada").with_data("four");
    assert_eq!(failure(manager.issue(big).await).0, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn bad_urls() {
    let folder = tempfile::tempdir().unwrap();
    for (url, wrong) in [
        ("sqlite:".to_owned(), "names no path"),
        ("sqlite://host/store".to_owned(), "names a host"),
        (
            "sqlite::memory:".to_owned(),
            "a store in memory is `memory:`",
        ),
        (
            url(folder.path(), "?namespace=b"),
            "another file is another namespace",
        ),
        (
            url(folder.path(), "?durability=fast"),
            "not one of: sync, relaxed",
        ),
        (url(folder.path(), "?timeout=0s"), "timeout of zero"),
        (url(folder.path(), "?pool_size=0"), "pool_size"),
        (
            url(folder.path(), "?sslmode=disable"),
            "the known ones are: create, durability, migrations, pool_size, timeout, max_data_len",
        ),
        (url(folder.path(), "?create=false"), "store.db"),
        (url(folder.path(), "?migrations=check"), "store.db"),
    ] {
        let (kind, message) = failure(open(&url).await);
        assert_eq!(kind, ErrorKind::Config, "{url}: {message}");
        assert!(message.contains(wrong), "{url}: {message}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_is_migrated_looked_at_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::builtin();
    let url: StoreUrl = url(folder.path(), "").parse().unwrap();
    let before = registry.schema(&url).await.unwrap().unwrap();
    assert!(before.steps.len() > 1);
    assert!(before.steps.iter().all(|step| !step.is_applied));
    assert_eq!(
        folder.path().read_dir().unwrap().count(),
        0,
        "it only looks"
    );

    let migrated = registry.migrate(&url, clock()).await.unwrap().unwrap();
    assert!(migrated.is_newest());
    assert!(migrated.steps.iter().all(|step| step.is_new));
    let again = registry.migrate(&url, clock()).await.unwrap().unwrap();
    assert!(again.is_newest());
    assert!(again.steps.iter().all(|step| !step.is_new));
    assert_eq!(registry.schema(&url).await.unwrap(), Some(again));

    let careful = url.clone().with_option("migrations", "check").unwrap();
    let driver = registry.open(&careful, clock()).await.unwrap();
    driver.check().await.unwrap();
    drop(driver);
    registry.remove(&url).await.unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    registry.remove(&url).await.unwrap();
}

#[tokio::test]
async fn tokens_outlive_the_driver_and_files_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let here = url(folder.path(), "");
    let driver = open(&here).await.unwrap();
    let manager = TokenManager::new(driver, clock(), ManagerOptions::default()).unwrap();
    let issued = manager.issue(IssueRequest::new("ada")).await.unwrap();
    drop(manager);
    let id = issued.record.id;
    open(&here).await.unwrap().get(&id).await.unwrap();
    let there = format!("sqlite:{}/other.db", folder.path().display());
    let other = open(&there).await.unwrap();
    assert_eq!(failure(other.get(&id).await).0, ErrorKind::NotFound);
}
