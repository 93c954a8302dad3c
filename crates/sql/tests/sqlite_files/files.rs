//! What a path may lead to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tokenkeep_core::{ErrorKind, TokenDriver as _};
use tokenkeep_sql::{Migrations, sqlite};

use crate::support::{clock, folder, is_open, open, options, raw, record, run, says, until};

#[tokio::test]
async fn what_is_no_file_for_a_store_is_refused_and_stays_as_it_is() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let text = "no database, but long enough to be taken for one. ".repeat(100);
    fs::write(at("text"), &text).unwrap();
    run(&mut raw(&at("foreign")).await, "CREATE TABLE tokens (id)").await;
    let foreign = fs::read(at("foreign")).unwrap();

    for (name, problem) in [
        ("", "is a folder"),
        ("missing/a.db", "no folder"),
        ("text/a.db", "no folder"),
        ("text", "no SQLite database"),
        ("foreign", "another program's tables"),
    ] {
        let options = options(&at(name));
        let error = open(&options).await.unwrap_err();
        says(&error, ErrorKind::Config, problem);
        assert_eq!(error.driver(), Some("sqlite"));
        let dropped = sqlite::drop_namespace(&options).await.unwrap_err();
        says(&dropped, ErrorKind::Config, problem);
    }
    assert_eq!(fs::read(at("text")).unwrap(), text.as_bytes());
    assert_eq!(fs::read(at("foreign")).unwrap(), foreign);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_made_only_if_it_may_be() {
    let folder = folder();
    let mut options = options(&folder.path().join("a.db"));
    options.create = false;
    let error = open(&options).await.unwrap_err();
    says(&error, ErrorKind::Config, "does not exist");
    options.create = true;
    options.common.migrations = Migrations::Check;
    let error = open(&options).await.unwrap_err();
    says(&error, ErrorKind::Config, "tokenkeep migrate");
    let status = sqlite::schema_status(&options).await.unwrap();
    assert!(status.steps.iter().all(|step| !step.applied));
    assert!(!options.path.exists());
    options.common.migrations = Migrations::Auto;
    open(&options).await.unwrap();
    options.create = false;
    options.common.migrations = Migrations::Check;
    open(&options).await.unwrap();
}

/// SQLite would take such names for something else than a file.
#[tokio::test]
async fn any_name_is_a_files_name() {
    let folder = folder();
    for name in ["file:a.db?mode=memory", ":memory:", "a b%20'\"ü.db"] {
        let file = folder.path().join(name);
        let driver = open(&options(&file)).await.unwrap();
        driver.create(record(1)).await.unwrap();
        assert!(file.exists(), "{name}");
        let again = open(&options(&file)).await.unwrap();
        again.get(&record(1).id).await.unwrap();
        assert_eq!(again.check().await.unwrap().namespace, name);
    }
}

#[tokio::test]
async fn a_dropped_driver_closes_its_file_and_a_dropped_namespace_is_gone() {
    let folder = folder();
    let file = folder.path().join("a.db");
    let driver = open(&options(&file)).await.unwrap();
    driver.create(record(1)).await.unwrap();
    driver.get(&record(1).id).await.unwrap();
    assert!(is_open(&file));
    drop(driver);
    until(|| !is_open(&file)).await;
    sqlite::drop_namespace(&options(&file)).await.unwrap();
    sqlite::drop_namespace(&options(&file)).await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let driver = open(&options(&file)).await.unwrap();
    let error = driver.get(&record(1).id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Tables of the names that ours have, and even rows that look like ours, make no store.
#[tokio::test]
async fn another_programs_file_is_neither_changed_nor_removed() {
    let folder = folder();
    let file = folder.path().join("a.db");
    drop(open(&options(&file)).await.unwrap());
    until(|| !is_open(&file)).await;
    let unmark = "PRAGMA journal_mode = DELETE; PRAGMA application_id = 0";
    run(&mut raw(&file).await, unmark).await;
    let like_ours = "CREATE TABLE migrations (version INTEGER PRIMARY KEY, name TEXT, applied_at); \
         INSERT INTO migrations VALUES (1, 'tokens', 0); CREATE TABLE precious (a)";
    run(&mut raw(&folder.path().join("b.db")).await, like_ours).await;
    let marked = "PRAGMA application_id = 252006675; CREATE TABLE t (a); DROP TABLE t";
    run(&mut raw(&folder.path().join("c.db")).await, marked).await;

    for name in ["a.db", "b.db", "c.db"] {
        let file = folder.path().join(name);
        let before = fs::read(&file).unwrap();
        let options = options(&file);
        let errors = [
            open(&options).await.err(),
            sqlite::migrate(&options, &clock()).await.err(),
            sqlite::schema_status(&options).await.err(),
            sqlite::drop_namespace(&options).await.err(),
        ];
        for error in errors {
            says(&error.unwrap(), ErrorKind::Config, "another program's");
        }
        assert_eq!(fs::read(&file).unwrap(), before, "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn a_link_is_followed_once_and_it_is_the_store_that_is_removed() {
    let folder = folder();
    let (real, link) = (folder.path().join("real.db"), folder.path().join("link.db"));
    symlink(&real, &link).unwrap();
    for error in [
        open(&options(&link)).await.err(),
        sqlite::drop_namespace(&options(&link)).await.err(),
    ] {
        says(&error.unwrap(), ErrorKind::Config, "link to nothing");
    }
    assert!(!real.exists());
    let driver = open(&options(&real)).await.unwrap();
    driver.create(record(1)).await.unwrap();
    let linked = open(&options(&link)).await.unwrap();
    linked.get(&record(1).id).await.unwrap();
    let location = linked.check().await.unwrap().location;
    assert_eq!(Path::new(&location), real.canonicalize().unwrap());
    drop((driver, linked));
    until(|| !is_open(&real)).await;
    sqlite::drop_namespace(&options(&link)).await.unwrap();
    assert!(!real.exists() && link.is_symlink());
}
