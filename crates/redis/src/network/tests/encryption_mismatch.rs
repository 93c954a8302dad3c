//! One side that encrypts and one that does not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokenkeep_backend::TlsMode;
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_testkit::{Cluster, SentinelSet, Server, Settings, require_or_tell};

use super::support::{LONG, cluster_options, options, redis, refusal, sentinel_options};
use crate::options::RedisOptions;

/// How opening in this mode ends, long before its time.
async fn refused_soon(mut options: RedisOptions, mode: TlsMode) -> Error {
    options.tls.mode = mode;
    options.timeout = 2 * LONG;
    let began = Instant::now();
    loop {
        let error = refusal(&options).await;
        assert!(began.elapsed() < LONG / 2, "{error}");
        // Each of several servers has less than a second to be told from a silent one.
        if !error.message().contains("in time") {
            return error;
        }
    }
}

/// The error is of this kind, and names one of these servers and what may be the matter.
fn assert_told(error: &Error, kind: ErrorKind, servers: &[Server], part: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    let is_named = servers.iter().any(|one| text.contains(&one.address()));
    assert!(is_named && text.contains(part), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_silent() {
    let Some(server) = redis() else { return };
    let error = refused_soon(options(&server), TlsMode::Require).await;
    let servers = std::slice::from_ref(&server);
    assert_told(&error, ErrorKind::Config, servers, "and no TLS");
    server.freeze().unwrap();
    let mut options = options(&server);
    options.tls.mode = TlsMode::Require;
    options.timeout = Duration::from_secs(2);
    let error = refusal(&options).await;
    let part = "no TLS answer in time";
    assert_told(&error, ErrorKind::Unavailable, servers, part);
    options.tls.mode = TlsMode::Disable;
    let error = refusal(&options).await;
    let part = "takes connections and answers nothing";
    assert_told(&error, ErrorKind::Unavailable, servers, part);
    server.thaw();
}

#[tokio::test]
async fn a_server_with_tls_may_be_why_a_plain_connection_ends() {
    let Some(server) = require_or_tell(Server::redis(&Settings::new().with_tls())) else {
        return;
    };
    let error = refused_soon(options(&server), TlsMode::Disable).await;
    let (servers, part) = (std::slice::from_ref(&server), "a port with TLS?");
    assert_told(&error, ErrorKind::Unavailable, servers, part);
}

/// Takes the only place there is, once the one who set it so has left.
fn only_client(server: &Server) -> TcpStream {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < LONG);
        let mut client = TcpStream::connect(server.address()).unwrap();
        let mut heard = [0; 64];
        let written = client.write_all(b"PING\r\n");
        let count = written.and_then(|()| client.read(&mut heard)).unwrap_or(0);
        if heard[..count].starts_with(b"-NOAUTH") {
            return client;
        }
    }
}

#[tokio::test]
async fn a_full_server_without_tls_answers_before_it_is_asked() {
    let Some(server) = redis() else { return };
    server
        .command(&["CONFIG", "SET", "maxclients", "1"])
        .unwrap();
    let holder = only_client(&server);
    let error = refused_soon(options(&server), TlsMode::Require).await;
    let servers = std::slice::from_ref(&server);
    assert_told(&error, ErrorKind::Config, servers, "a port without TLS?");
    drop(holder);
}

#[tokio::test]
async fn sentinels_without_tls_are_told() {
    let Some(set) = require_or_tell(SentinelSet::redis(&Settings::new().patient())) else {
        return;
    };
    let error = refused_soon(sentinel_options(&set), TlsMode::Require).await;
    assert_told(&error, ErrorKind::Config, set.sentinels(), "and no TLS");
}

#[tokio::test]
async fn a_cluster_without_tls_is_told_and_so_is_one_with_it() {
    let settings = Settings::new().patient();
    let with_tls = settings.clone().with_tls();
    for (settings, mode, kind, part) in [
        (&settings, TlsMode::Require, ErrorKind::Config, "and no TLS"),
        (
            &with_tls,
            TlsMode::Disable,
            ErrorKind::Unavailable,
            "a port with TLS?",
        ),
    ] {
        let Some(cluster) = require_or_tell(Cluster::redis(3, 0, settings)) else {
            return;
        };
        let error = refused_soon(cluster_options(&cluster), mode).await;
        assert_told(&error, kind, cluster.nodes(), part);
    }
}
