//! What becomes of the file: in use, damaged, cut off.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokenkeep::{
    ErrorKind, IssueRequest, ManagerOptions, Registry, Result, SystemClock, TokenDriver,
    TokenManager, TokenSecret,
};

async fn open(path: &Path) -> Result<Arc<dyn TokenDriver>> {
    let mut registry = Registry::empty();
    registry.register("file", custom_backend::open)?;
    let url = format!("file:{}", path.display()).parse()?;
    registry.open(&url, Arc::new(SystemClock)).await
}

async fn manager(path: &Path) -> Result<TokenManager> {
    let clock = Arc::new(SystemClock);
    TokenManager::new(open(path).await?, clock, ManagerOptions::default())
}

/// Issues a token and closes the file.
async fn issue(path: &Path) -> Result<TokenSecret> {
    let issued = manager(path).await?.issue(IssueRequest::new("ada")).await;
    Ok(issued?.secret)
}

async fn is_there(path: &Path, secret: &TokenSecret) -> Result<bool> {
    Ok(manager(path).await?.validate(secret).await.is_ok())
}

#[tokio::test]
async fn tokens_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let secret = issue(&path).await.unwrap();
    assert!(is_there(&path, &secret).await.unwrap());
}

#[tokio::test]
async fn a_line_cut_off_is_left_out_and_the_next_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let first = issue(&path).await.unwrap();
    let cut_off = issue(&path).await.unwrap();
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 1]).unwrap();
    assert!(!is_there(&path, &cut_off).await.unwrap());
    let third = issue(&path).await.unwrap();
    assert!(is_there(&path, &first).await.unwrap() && is_there(&path, &third).await.unwrap());
}

#[tokio::test]
async fn a_damaged_line_is_named_and_the_file_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    issue(&path).await.unwrap();
    let damaged = fs::read_to_string(&path).unwrap().replace("audit_id", "?");
    fs::write(&path, &damaged).unwrap();
    let error = open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("tokens, line 2"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
}

#[tokio::test]
async fn a_file_in_use_or_unusable_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let _driver = open(&path).await.unwrap();
    let in_use = open(&path).await.unwrap_err();
    assert_eq!(in_use.kind(), ErrorKind::Unavailable);
    let unusable = open(folder.path()).await.unwrap_err();
    assert_eq!(unusable.kind(), ErrorKind::Config);
}
