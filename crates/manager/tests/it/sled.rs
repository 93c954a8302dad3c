use std::path::Path;
use std::sync::Arc;

use tokenkeep::{
    Durability, ErrorKind, IssueRequest, ManagerOptions, Registry, Result, TokenDriver,
    TokenManager,
};

use crate::support::{clock, failure};

async fn open(registry: &Registry, url: &str) -> Result<Arc<dyn TokenDriver>> {
    registry.open(&url.parse()?, clock()).await
}

fn url(folder: &Path, options: &str) -> String {
    format!("sled:{}/store{options}", folder.display())
}

async fn issue(driver: &Arc<dyn TokenDriver>) -> tokenkeep::Issued {
    let manager = TokenManager::new(driver.clone(), clock(), ManagerOptions::default());
    let issued = manager.unwrap().issue(IssueRequest::new("ada")).await;
    issued.unwrap()
}

#[tokio::test]
async fn every_option() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        "?namespace=a%26b&durability=relaxed&timeout=3s&cache_capacity=4194304&max_data_len=3";
    let driver = open(&Registry::builtin(), &url(folder.path(), options))
        .await
        .unwrap();
    let info = driver.check().await.unwrap();
    assert_eq!((info.driver, info.namespace.as_str()), ("sled", "a&b"));
    assert_eq!(info.durability, Durability::Relaxed);
    let manager = TokenManager::new(driver, clock(), ManagerOptions::default()).unwrap();
    let big = IssueRequest::new("ada").with_data("four");
    assert_eq!(failure(manager.issue(big).await).0, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn bad_urls() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::builtin();
    for (url, wrong) in [
        ("sled:".to_owned(), "names no path"),
        ("sled://host/store".to_owned(), "names a host"),
        (
            url(folder.path(), "?durability=fast"),
            "not one of: sync, relaxed",
        ),
        (url(folder.path(), "?timeout=5"), "not a duration"),
        (url(folder.path(), "?timeout=0s"), "timeout is 0ns, not"),
        (url(folder.path(), "?timeout=9999999999y"), "timeout is"),
        (
            url(folder.path(), "?timeout=18446744073709551615s"),
            "not a duration",
        ),
        (
            url(folder.path(), "?cache_capacity=64M"),
            "not a whole number",
        ),
        (
            url(folder.path(), "?cache=1"),
            "the known ones are: namespace, durability, create, timeout, cache_capacity, max_data_len",
        ),
    ] {
        let (kind, message) = failure(open(&registry, &url).await);
        assert_eq!(kind, ErrorKind::Config, "{url}: {message}");
        assert!(message.contains(wrong), "{url}: {message}");
    }
}

#[tokio::test]
async fn namespaces_of_one_folder_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::builtin();
    let a = open(&registry, &url(folder.path(), "")).await.unwrap();
    let a_again = open(&registry, &url(folder.path(), "")).await.unwrap();
    let b = open(&registry, &url(folder.path(), "?namespace=b"))
        .await
        .unwrap();
    let id = issue(&a).await.record.id;
    a_again.get(&id).await.unwrap();
    assert_eq!(failure(b.get(&id).await).0, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_folder_opened_at_once_by_many_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::builtin();
    let mut openings = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (registry, url) = (
            registry.clone(),
            url(folder.path(), &format!("?namespace={number}")),
        );
        openings.spawn(async move { open(&registry, &url).await.map(drop) });
    }
    for opened in openings.join_all().await {
        opened.unwrap();
    }
}

#[tokio::test]
async fn other_options_and_other_registries_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::builtin();
    let driver = open(&registry, &url(folder.path(), "")).await.unwrap();
    let (kind, message) = failure(open(&registry, &url(folder.path(), "?timeout=3s")).await);
    assert_eq!(kind, ErrorKind::Config);
    assert!(
        message.contains("is open already with other options"),
        "{message}"
    );
    let elsewhere = open(&Registry::builtin(), &url(folder.path(), "")).await;
    assert_eq!(failure(elsewhere).0, ErrorKind::Unavailable);
    drop(driver);
    open(&registry, &url(folder.path(), "?timeout=3s"))
        .await
        .unwrap();
}

#[tokio::test]
async fn tokens_outlive_the_driver() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::builtin();
    let driver = open(&registry, &url(folder.path(), "")).await.unwrap();
    let id = issue(&driver).await.record.id;
    drop(driver);
    let driver = open(&registry, &url(folder.path(), "")).await.unwrap();
    driver.get(&id).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn one_folder_by_two_names_is_one() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
    let registry = Registry::builtin();
    let _driver = open(&registry, &url(folder.path(), "")).await.unwrap();
    open(&registry, &url(&folder.path().join("link"), ""))
        .await
        .unwrap();
    open(&registry, &url(&folder.path().join("."), ""))
        .await
        .unwrap();
}
