//! What cannot be opened, and the kind of the error that says so.

use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_sql::{ServerOptions, postgres};

use crate::support::{
    fresh_record, of_user, open, options, own_server, shared_server, system_clock,
};
use tokenkeep_testkit::{Server, Settings};

async fn refusal(options: &ServerOptions) -> (ErrorKind, String) {
    let error = postgres::open(options, system_clock()).await.unwrap_err();
    assert_eq!(error.driver(), Some("postgres"));
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn a_wrong_password_is_a_configuration_error_that_does_not_show_it() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut options = options(server, "configuration_password");
    options.password = Some("not-the-pass-word".to_owned().into());
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("28P01"), "{text}");
    assert!(!text.contains("not-the-pass-word"), "{text}");
    options.password = None;
    assert_eq!(refusal(&options).await.0, ErrorKind::Config);
}

#[tokio::test]
async fn an_unknown_database_is_a_configuration_error() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut options = options(server, "configuration_database");
    options.database = "nowhere".to_owned();
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("3D000"), "{text}");
}

#[tokio::test]
async fn an_account_without_privileges_is_a_configuration_error() {
    let Some(server) = shared_server() else {
        return;
    };
    let sql = "CREATE ROLE powerless LOGIN PASSWORD 'x'";
    server.sql(sql).unwrap();
    let owner = options(server, "configuration_privileges");
    open(&owner, system_clock()).await;
    let mut options = owner.clone();
    options.user = "powerless".to_owned();
    options.password = Some("x".to_owned().into());
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("42501"), "{text}");
    options.namespace = "configuration_not_there".to_owned();
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("42501"), "{text}");
}

/// An account that may read the store's row and its steps, and this besides.
async fn account(server: &Server, owner: &ServerOptions, name: &str, more: &str) -> ServerOptions {
    open(owner, system_clock()).await;
    let namespace = &owner.namespace;
    server
        .sql(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA {namespace} TO {name}; \
             GRANT SELECT ON {namespace}.store, {namespace}.migrations TO {name}; {more}"
        ))
        .unwrap();
    let mut options = owner.clone();
    options.user = name.to_owned();
    options.password = Some("x".to_owned().into());
    options
}

#[tokio::test]
async fn an_account_that_may_not_read_tokens_opens_nothing() {
    let Some(server) = shared_server() else {
        return;
    };
    let owner = options(server, "configuration_blind");
    let options = account(server, &owner, "blind", "").await;
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("privilege SELECT on the tokens"), "{text}");
}

#[tokio::test]
async fn what_an_account_may_not_write_is_a_warning() {
    let Some(server) = shared_server() else {
        return;
    };
    let owner = options(server, "configuration_reader");
    let grant = "GRANT SELECT ON configuration_reader.tokens TO reader";
    let options = account(server, &owner, "reader", grant).await;
    let driver = open(&options, system_clock()).await;
    let warnings = driver.check().await.unwrap().warnings;
    let about = |words: &str| warnings.iter().any(|warning| warning.contains(words));
    for words in [
        "INSERT on the tokens",
        "UPDATE on the tokens",
        "DELETE on the tokens",
        "UPDATE on the store's row",
    ] {
        assert!(about(words), "{words}: {warnings:?}");
    }
    let owner = open(&owner, system_clock()).await;
    let warnings = owner.check().await.unwrap().warnings;
    let lacks = |warning: &String| warning.contains("lacks");
    assert!(!warnings.iter().any(lacks), "{warnings:?}");
}

#[tokio::test]
async fn a_database_that_cannot_hold_all_text_is_a_configuration_error() {
    let Some(server) = shared_server() else {
        return;
    };
    let sql = "CREATE DATABASE configuration_latin OWNER tokenkeep ENCODING 'LATIN1' \
               LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    server.sql(sql).unwrap();
    let mut options = options(server, "configuration_latin");
    options.database = "configuration_latin".to_owned();
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("LATIN1") && text.contains("UTF8"), "{text}");
}

/// A policy would have tokens vanish, from reads and from revocations alike.
#[tokio::test]
async fn a_policy_that_hides_tokens_is_a_configuration_error() {
    let Some(server) = shared_server() else {
        return;
    };
    let owner = options(server, "configuration_policy");
    let grant = "GRANT SELECT ON configuration_policy.tokens TO hidden; \
                 ALTER TABLE configuration_policy.tokens ENABLE ROW LEVEL SECURITY; \
                 ALTER ROLE hidden SET row_security = on";
    let options = account(server, &owner, "hidden", grant).await;
    let driver = open(&options, system_clock()).await;
    let error = driver.get(&fresh_record("ada").id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let options = options(&server, "configuration_gone");
    server.stop().unwrap();
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Unavailable, "{text}");
}

#[tokio::test]
async fn a_namespace_that_is_no_plain_name_is_a_configuration_error() {
    let Some(server) = shared_server() else {
        return;
    };
    for name in ["", "pg_toast", "a\"; DROP SCHEMA x", "Team", "9"] {
        let (kind, text) = refusal(&options(server, name)).await;
        assert_eq!(kind, ErrorKind::Config, "{text}");
        assert!(text.contains("namespace "), "{text}");
    }
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut options = options(server, "configuration_socket");
    let folder = server.folder().display().to_string();
    options.host.clone_from(&folder);
    let driver = open(&options, system_clock()).await;
    driver.create(fresh_record("ada")).await.unwrap();
    let info = driver.check().await.unwrap();
    assert!(info.location.starts_with(&folder), "{}", info.location);
    assert!(!format!("{info:?} {driver:?}").contains(server.password()));
}

#[tokio::test]
async fn removing_a_store_leaves_its_neighbour_and_what_is_not_its_own() {
    let Some(server) = shared_server() else {
        return;
    };
    let gone = options(server, "configuration_removed");
    let stays = options(server, "configuration_stays");
    open(&gone, system_clock()).await;
    let neighbour = open(&stays, system_clock()).await;
    neighbour.create(fresh_record("ada")).await.unwrap();

    server
        .sql("CREATE TABLE configuration_removed.foreign_to_us ()")
        .unwrap();
    let error = postgres::drop_namespace(&gone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let status = postgres::schema_status(&gone).await.unwrap();
    assert!(status.is_newest(), "nothing was removed");

    server
        .sql("DROP TABLE configuration_removed.foreign_to_us")
        .unwrap();
    postgres::drop_namespace(&gone).await.unwrap();
    postgres::drop_namespace(&gone).await.unwrap();
    let found = server
        .sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'configuration_removed'")
        .unwrap();
    assert_eq!(found.trim(), "0");
    assert_eq!(
        neighbour
            .delete_tokens(&of_user("ada"))
            .await
            .unwrap()
            .len(),
        1
    );
}

/// The other tests of this file once more, in an environment that points elsewhere.
#[test]
fn the_environment_changes_no_connection() {
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["configuration::", "--skip", "the_environment"])
        .envs([
            ("PGHOST", "nowhere.invalid"),
            ("PGPORT", "1"),
            ("PGUSER", "nobody"),
            ("PGPASSWORD", "wrong"),
            ("PGDATABASE", "nowhere"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/nowhere/ca.pem"),
            ("PGSSLCERT", "/nowhere/client.pem"),
            ("PGSSLKEY", "/nowhere/client.key"),
            ("PGAPPNAME", "other"),
        ])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{shown}");
    assert!(!shown.contains(" 0 passed"), "{shown}");
}
