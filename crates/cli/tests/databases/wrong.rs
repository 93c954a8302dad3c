//! Stores that cannot be used.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::place::{Kind, Place, Test, WRONG};

pub(crate) const TESTS: &[Test] = &[("an_option_that_is_wrong_is_named", options)];

pub(crate) const SERVER_TESTS: &[Test] = &[
    ("a_wrong_account_is_refused", account),
    ("a_namespace_that_cannot_be_named_is_refused", namespace),
    ("a_server_that_is_not_there_is_told_at_once", nobody),
    ("a_server_that_does_not_answer_is_told_in_time", silent),
    ("a_password_comes_from_a_file", password_file),
    ("a_unix_socket_leads_to_the_server", socket),
];

fn with(url: &str, option: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{option}")
}

fn options(place: &Place) {
    for (option, says) in [
        (
            "colour=red",
            "unknown option `colour`; the known ones are: ",
        ),
        ("durability=volatile", "not one of: sync, relaxed"),
        ("migrations=never", "not one of: auto, check"),
        ("pool_size=many", "not a whole number"),
        ("timeout=0s", "timeout of zero"),
        (&format!("password={WRONG}"), "`password`"),
    ] {
        let url = with(&place.url, option);
        for args in [
            &["check"][..],
            &["create", "--user=a"],
            &["migrate"],
            &["demo"],
        ] {
            place.run_on(&url, args).refused(2, says);
        }
        place.run(&["conformance", &url]).refused(2, says);
    }
}

/// The URL with this account, and this place and database behind it.
fn other(place: &Place, account: &str, server: &str, database: &str) -> String {
    let scheme = place.url.split(':').next().unwrap();
    format!(
        "{scheme}://{account}@{server}/{database}?namespace={}",
        place.name
    )
}

fn address(place: &Place) -> String {
    format!("{}:{}", place.server().host(), place.server().port())
}

fn account(place: &Place) {
    let server = address(place);
    for url in [
        other(place, &format!("tokenkeep:{WRONG}"), &server, "tokenkeep"),
        other(place, "tokenkeep", &server, "tokenkeep"),
        other(place, &format!("nobody:{WRONG}"), &server, "tokenkeep"),
    ] {
        for args in [
            &["check"][..],
            &["create", "--user=a"],
            &["migrate"],
            &["demo"],
        ] {
            place.run_on(&url, args).refused(2, "");
        }
    }
    if place.kind == Kind::Postgres {
        let database = place.url.replace("/tokenkeep?", "/nosuch?");
        place.run_on(&database, &["check"]).refused(2, "nosuch");
    }
}

fn namespace(place: &Place) {
    for name in [
        "a-b",
        "a%20b",
        "a.b",
        "a%22b",
        "a%60b",
        "a%27b",
        "%C3%A9",
        &"x".repeat(65),
    ] {
        let url = place
            .url
            .replace(&format!("={}", place.name), &format!("={name}"));
        for args in [&["check"][..], &["create", "--user=a"], &["migrate"]] {
            place.run_on(&url, args).refused(2, "namespace");
        }
    }
}

fn nobody(place: &Place) {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = other(
        place,
        &format!("a:{WRONG}"),
        &format!("127.0.0.1:{port}"),
        "d",
    );
    for args in [
        &["check"][..],
        &["create", "--user=a"],
        &["migrate"],
        &["demo"],
    ] {
        place.run_on(&url, args).refused(3, "Unavailable");
    }
}

fn silent(place: &Place) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let url = with(
        &other(place, &format!("a:{WRONG}"), &server, "d"),
        "timeout=300ms",
    );
    for args in [
        &["check"][..],
        &["create", "--user=a"],
        &["migrate"],
        &["demo"],
    ] {
        let began = Instant::now();
        place.run_on(&url, args).refused(3, "Unavailable");
        assert!(began.elapsed() < Duration::from_secs(30), "{args:?}");
    }
}

fn password_file(place: &Place) {
    let file = place
        .home
        .file("password", &format!("{}\n", place.server().password()));
    let url = other(place, "tokenkeep", &address(place), "tokenkeep");
    let url = with(&url, &format!("password_file={file}"));
    place.run_on(&url, &["create", "--user=ada"]).expect(0);
    place.run(&["check"]).expect(0);
    // No password of its own, so it may stand in a configuration file.
    let config = format!("[store]\nurl = \"{url}\"\n");
    let config = place.home.file("tokenkeep.toml", &config);
    place.home.run(&["check", "--config", &config]).expect(0);
    std::fs::write(&file, WRONG).unwrap();
    place.run_on(&url, &["check"]).refused(2, "");
    std::fs::remove_file(&file).unwrap();
    place.run_on(&url, &["check"]).refused(2, "password_file");
}

fn socket(place: &Place) {
    let server = place.server();
    let socket = server.socket();
    let (option, port) = match place.kind {
        // PostgreSQL's option names the folder.
        Kind::Postgres => ("host", socket.parent().unwrap().display().to_string()),
        _ => ("socket", socket.display().to_string()),
    };
    let (_, rest) = place.url.split_once("://").unwrap();
    let (account, _) = rest.split_once('@').unwrap();
    let url = other(place, account, &format!(":{}", server.port()), "tokenkeep");
    let url = with(&url, &format!("{option}={port}"));
    place.run_on(&url, &["create", "--user=ada"]).expect(0);
    let info = place
        .run_on(&url, &["check", "--format=json"])
        .expect(0)
        .json();
    assert_eq!(info["namespace"], *place.name);
}
