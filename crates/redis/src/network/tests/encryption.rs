//! Encrypted connections.

use tokenkeep_backend::{Tls, TlsMode};
use tokenkeep_testkit::{Server, Settings, require_or_tell};

use super::support::{LONG, assert_config, open, options};
use crate::options::{Address, Host, RedisOptions, Servers};

fn server() -> Option<Server> {
    require_or_tell(Server::redis(&Settings::new().with_tls()))
}

fn with(server: &Server, tls: Tls) -> RedisOptions {
    RedisOptions {
        tls,
        ..options(server)
    }
}

fn mode(mode: TlsMode) -> Tls {
    Tls {
        mode,
        ..Tls::default()
    }
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_verified() {
    let Some(server) = server() else { return };
    let files = server.tls().unwrap();
    let trusted = Tls {
        ca: Some(files.ca.clone()),
        ..mode(TlsMode::VerifyFull)
    };
    let network = open(&with(&server, trusted.clone())).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    let with_own = Tls {
        certificate: Some(files.certificate.clone()),
        key: Some(files.key.clone()),
        ..trusted
    };
    let network = open(&with(&server, with_own)).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 2);
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_refused() {
    let Some(server) = server() else { return };
    let stranger = Tls {
        ca: Some(server.tls().unwrap().stranger.clone()),
        ..mode(TlsMode::VerifyFull)
    };
    assert_config(&with(&server, stranger), "certificate").await;
    // Nor is it among the system's authorities.
    assert_config(&with(&server, mode(TlsMode::VerifyFull)), "certificate").await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let Some(server) = server() else { return };
    let mut options = with(
        &server,
        Tls {
            ca: Some(server.tls().unwrap().ca.clone()),
            ..mode(TlsMode::VerifyFull)
        },
    );
    options.servers = Servers::Standalone(Address::Tcp(Host {
        name: "127.0.0.2".to_owned(),
        port: server.port(),
    }));
    server
        .command(&["CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"])
        .unwrap();
    assert_config(&options, "certificate").await;
}

#[tokio::test]
async fn encryption_alone_verifies_nothing() {
    let Some(server) = server() else { return };
    let network = open(&with(&server, mode(TlsMode::Require))).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
}

#[tokio::test]
async fn files_that_are_no_certificates_are_named() {
    let Some(server) = server() else { return };
    let wrong = Tls {
        ca: Some(server.tls().unwrap().key.clone()),
        ..mode(TlsMode::VerifyFull)
    };
    assert_config(&with(&server, wrong), "server.key").await;
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_before_the_first_connection() {
    let Some(server) = server() else { return };
    let files = server.tls().unwrap();
    let halved = Tls {
        certificate: Some(files.certificate.clone()),
        ..mode(TlsMode::Require)
    };
    assert_config(&with(&server, halved), "key").await;
    let mut socket = with(&server, mode(TlsMode::Require));
    socket.servers = Servers::Standalone(Address::Unix(server.socket()));
    assert_config(&socket, "Unix socket").await;
    let mut database = with(&server, Tls::default());
    database.servers = Servers::Cluster(vec![super::support::host(&server)]);
    database.database = 1;
    assert_config(&database, "database").await;
    database.servers = Servers::Cluster(Vec::new());
    assert_config(&database, "no server").await;
}
