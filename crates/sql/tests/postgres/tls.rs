//! Encrypted connections to a server with a certificate for localhost and 127.0.0.1.

use std::path::PathBuf;

use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_sql::{ServerOptions, Tls, TlsMode, postgres};
use tokenkeep_testkit::{Server, Settings};

use crate::support::{fresh_record, open, options, own_server, shared_server, system_clock};

fn server_with_tls() -> Option<Server> {
    own_server(&Settings::new().relaxed().with_tls())
}

fn with(server: &Server, namespace: &str, mode: TlsMode, ca: Option<PathBuf>) -> ServerOptions {
    let mut options = options(server, namespace);
    options.tls = Tls {
        mode,
        ca,
        ..Tls::default()
    };
    options
}

/// How many of the driver's sessions are encrypted.
fn encrypted(server: &Server) -> String {
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE ssl AND application_name = 'tokenkeep'";
    server.sql(sql).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_verified_server_is_used_over_an_encrypted_connection() {
    let Some(server) = server_with_tls() else {
        return;
    };
    let files = server.tls().unwrap();
    let options = with(&server, "tls", TlsMode::VerifyFull, Some(files.ca.clone()));
    let driver = open(&options, system_clock()).await;
    driver.create(fresh_record("ada")).await.unwrap();
    assert_ne!(encrypted(&server), "0");
}

#[tokio::test]
async fn require_encrypts_and_verifies_nothing() {
    let Some(server) = server_with_tls() else {
        return;
    };
    let files = server.tls().unwrap();
    let stranger = with(
        &server,
        "tls",
        TlsMode::Require,
        Some(files.stranger.clone()),
    );
    let driver = open(&stranger, system_clock()).await;
    driver.create(fresh_record("ada")).await.unwrap();
    assert_ne!(encrypted(&server), "0");
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let Some(server) = server_with_tls() else {
        return;
    };
    let files = server.tls().unwrap();
    for (mode, ca) in [
        (TlsMode::VerifyFull, Some(files.stranger.clone())),
        (TlsMode::VerifyFull, None),
    ] {
        let options = with(&server, "tls", mode, ca);
        let error = postgres::open(&options, system_clock()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

/// The server's own certificate, which the same authority signed, serves as a client's.
#[tokio::test]
async fn a_certificate_of_the_clients_own_is_shown_to_the_server() {
    let Some(server) = server_with_tls() else {
        return;
    };
    let files = server.tls().unwrap();
    let ca = files.ca.display();
    server
        .sql(&format!("ALTER SYSTEM SET ssl_ca_file = '{ca}'"))
        .unwrap();
    server.restart().unwrap();
    let mut options = with(&server, "tls", TlsMode::VerifyFull, Some(files.ca.clone()));
    options.tls.certificate = Some(files.certificate.clone());
    let error = postgres::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "a key is missing: {error}");
    options.tls.key = Some(files.key.clone());
    let driver = open(&options, system_clock()).await;
    driver.create(fresh_record("ada")).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE client_serial IS NOT NULL AND application_name = 'tokenkeep'";
    assert_ne!(server.sql(sql).unwrap().trim(), "0");
}

/// 127.0.0.2 reaches the server where it listens on all addresses, and no certificate names it.
#[tokio::test]
async fn a_host_that_the_certificate_does_not_name_is_refused_by_full_verification_only() {
    let settings = Settings::new().relaxed().with_tls();
    let everywhere = settings.with_option("listen_addresses", "*");
    let Some(server) = own_server(&everywhere) else {
        return;
    };
    let files = server.tls().unwrap();
    let mut options = with(&server, "tls", TlsMode::VerifyFull, Some(files.ca.clone()));
    options.host = "127.0.0.2".to_owned();
    let error = postgres::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    options.tls.mode = TlsMode::Require;
    open(&options, system_clock()).await;
}

/// 0.0.0.0 reaches this machine too, but is no loopback address: the default asks for encryption.
#[tokio::test]
async fn by_default_another_machine_is_verified() {
    let settings = Settings::new().relaxed();
    let everywhere = settings.with_option("listen_addresses", "*");
    let Some(server) = own_server(&everywhere) else {
        return;
    };
    let mut options = options(&server, "tls");
    options.host = "0.0.0.0".to_owned();
    let error = postgres::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("TLS"), "{error}");
    options.tls.mode = TlsMode::Disable;
    open(&options, system_clock()).await;
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_where_it_is_required() {
    let Some(server) = shared_server() else {
        return;
    };
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let options = with(server, "tls", mode, None);
        let error = postgres::open(&options, system_clock()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}

#[tokio::test]
async fn files_that_are_not_there_are_a_configuration_error_that_names_them() {
    let Some(server) = shared_server() else {
        return;
    };
    let ca = PathBuf::from("/nowhere/ca.pem");
    let options = with(server, "tls", TlsMode::VerifyFull, Some(ca));
    let error = postgres::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}
