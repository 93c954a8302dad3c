//! Encrypted connections to a server with a certificate for localhost and 127.0.0.1.

use std::path::PathBuf;

use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_sql::{ServerOptions, Tls, TlsMode, mysql};
use tokenkeep_testkit::{Server, Settings};

use crate::support::{fresh_record, open, options, own_server, shared_server, system_clock};

fn server_with_tls() -> Option<Server> {
    own_server(&Settings::new().with_tls())
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

/// Lets the driver's account in by an encrypted connection only, so that one that works is one.
fn require_encryption(server: &Server) {
    let sql = format!("ALTER USER '{}'@'%' REQUIRE SSL", server.user());
    server.sql(&sql).unwrap();
}

#[tokio::test]
async fn a_verified_server_is_used_over_an_encrypted_connection() {
    let Some(server) = server_with_tls() else {
        return;
    };
    require_encryption(&server);
    let files = server.tls().unwrap();
    let plain = with(&server, "tls", TlsMode::Disable, None);
    let error = mysql::open(&plain, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let options = with(&server, "tls", TlsMode::VerifyFull, Some(files.ca.clone()));
    let driver = open(&options, system_clock()).await;
    driver.create(fresh_record("ada")).await.unwrap();
}

#[tokio::test]
async fn require_encrypts_and_verifies_nothing() {
    let Some(server) = server_with_tls() else {
        return;
    };
    require_encryption(&server);
    let files = server.tls().unwrap();
    let stranger = with(
        &server,
        "tls",
        TlsMode::Require,
        Some(files.stranger.clone()),
    );
    let driver = open(&stranger, system_clock()).await;
    driver.create(fresh_record("ada")).await.unwrap();
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
        let error = mysql::open(&options, system_clock()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

/// 127.0.0.2 reaches the server where it listens on all addresses, and no certificate names it.
#[tokio::test]
async fn a_host_that_the_certificate_does_not_name_is_refused_by_full_verification_only() {
    let settings = Settings::new().with_tls();
    let everywhere = settings.with_option("bind-address", "*");
    let Some(server) = own_server(&everywhere) else {
        return;
    };
    let files = server.tls().unwrap();
    let mut options = with(&server, "tls", TlsMode::VerifyFull, Some(files.ca.clone()));
    options.host = "127.0.0.2".to_owned();
    let error = mysql::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    options.tls.mode = TlsMode::Require;
    open(&options, system_clock()).await;
}

/// 0.0.0.0 reaches this machine too, but is no loopback address: the default asks for encryption.
#[tokio::test]
async fn by_default_another_machine_is_verified() {
    let settings = Settings::new();
    let everywhere = settings.with_option("bind-address", "*");
    let Some(server) = own_server(&everywhere) else {
        return;
    };
    let mut options = options(&server, "tls");
    options.host = "0.0.0.0".to_owned();
    let error = mysql::open(&options, system_clock()).await.unwrap_err();
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
        let error = mysql::open(&options, system_clock()).await.unwrap_err();
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
    let error = mysql::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}

#[tokio::test]
async fn a_client_shows_its_own_certificate() {
    let Some(server) = server_with_tls() else {
        return;
    };
    let sql = format!("ALTER USER '{}'@'%' REQUIRE X509", server.user());
    server.sql(&sql).unwrap();
    let files = server.tls().unwrap();
    let mut options = with(&server, "tls", TlsMode::VerifyFull, Some(files.ca.clone()));
    let error = mysql::open(&options, system_clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    // The server's own, signed by the authority that the server trusts, does for a client's.
    options.tls.certificate = Some(files.certificate.clone());
    let error = mysql::open(&options, system_clock()).await.unwrap_err();
    assert!(error.to_string().contains("key"), "{error}");
    options.tls.key = Some(files.key.clone());
    open(&options, system_clock()).await;
}
