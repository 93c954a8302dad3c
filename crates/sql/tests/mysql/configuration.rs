//! What cannot be opened, and the kind of the error that says so.

use tokenkeep_core::{Durability, ErrorKind, TokenDriver};
use tokenkeep_sql::{ServerOptions, mysql};
use tokenkeep_testkit::Settings;

use crate::support::{
    fresh_record, of_user, open, options, own_server, shared_server, system_clock,
};

async fn refusal(options: &ServerOptions) -> (ErrorKind, String) {
    let error = mysql::open(options, system_clock()).await.unwrap_err();
    assert_eq!(error.driver(), Some("mysql"));
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
    assert!(text.contains("(1045)"), "{text}");
    assert!(!text.contains("not-the-pass-word"), "{text}");
    options.password = None;
    assert_eq!(refusal(&options).await.0, ErrorKind::Config);
}

#[tokio::test]
async fn an_account_without_privileges_is_a_configuration_error() {
    let Some(server) = shared_server() else {
        return;
    };
    let owner = options(server, "configuration_privileges");
    open(&owner, system_clock()).await;
    server
        .sql("CREATE USER powerless IDENTIFIED BY 'x'")
        .unwrap();
    let mut options = owner.clone();
    options.user = "powerless".to_owned();
    options.password = Some("x".to_owned().into());
    for namespace in ["configuration_privileges", "configuration_not_there"] {
        options.namespace = namespace.to_owned();
        let (kind, text) = refusal(&options).await;
        assert_eq!(kind, ErrorKind::Config, "{text}");
        assert!(text.contains("privilege"), "{text}");
    }
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
    for name in ["", "mysql", "a`; DROP DATABASE x", "Team"] {
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
    let socket = server.socket().display().to_string();
    options.host.clone_from(&socket);
    let driver = open(&options, system_clock()).await;
    driver.create(fresh_record("ada")).await.unwrap();
    let info = driver.check().await.unwrap();
    assert_eq!(info.location, socket);
    assert!(!format!("{info:?} {driver:?}").contains(server.password()));
}

#[tokio::test]
async fn a_server_that_does_not_flush_is_refused_for_durability_sync() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let mut options = options(&server, "configuration_flush");
    options.common.durability = Durability::Sync;
    let (kind, text) = refusal(&options).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("innodb_flush_log_at_trx_commit"), "{text}");

    options.common.durability = Durability::Relaxed;
    let driver = open(&options, system_clock()).await;
    let info = driver.check().await.unwrap();
    assert_eq!(info.durability, Durability::Relaxed);
    assert_eq!(info.warnings, [""; 0]);
}

#[tokio::test]
async fn a_server_that_shows_writes_early_is_warned_about() {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let driver = open(&options(&server, "configuration_binlog"), system_clock()).await;
    assert_eq!(driver.check().await.unwrap().warnings, [""; 0]);
    server.sql("SET GLOBAL sync_binlog = 0").unwrap();
    let warnings = driver.check().await.unwrap().warnings;
    assert!(warnings[0].contains("sync_binlog"), "{warnings:?}");
}

/// By such a log the server refuses each statement that writes.
#[tokio::test]
async fn a_server_that_logs_statements_is_refused() {
    let settings = Settings::new().with_option("binlog-format", "STATEMENT");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let (kind, text) = refusal(&options(&server, "configuration_log")).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("binlog_format"), "{text}");
}

#[tokio::test]
async fn a_server_whose_packets_are_too_small_is_refused() {
    let settings = Settings::new().with_option("max-allowed-packet", "1M");
    let Some(server) = own_server(&settings) else {
        return;
    };
    let (kind, text) = refusal(&options(&server, "configuration_packet")).await;
    assert_eq!(kind, ErrorKind::Config, "{text}");
    assert!(text.contains("max_allowed_packet"), "{text}");
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

    let table = "configuration_removed.foreign_to_us";
    server
        .sql(&format!("CREATE TABLE {table} (a INT)"))
        .unwrap();
    let error = mysql::drop_namespace(&gone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let status = mysql::schema_status(&gone).await.unwrap();
    assert!(status.is_newest(), "nothing was removed");

    server.sql(&format!("DROP TABLE {table}")).unwrap();
    mysql::drop_namespace(&gone).await.unwrap();
    mysql::drop_namespace(&gone).await.unwrap();
    let found = server
        .sql(
            "SELECT COUNT(*) FROM information_schema.schemata \
             WHERE schema_name = 'configuration_removed'",
        )
        .unwrap();
    assert_eq!(found.trim(), "0");
    let revoked = neighbour.delete_tokens(&of_user("ada")).await.unwrap();
    assert_eq!(revoked.len(), 1);
}
