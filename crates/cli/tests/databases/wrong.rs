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

/// On several servers, which have no socket.
pub(crate) const SEVERAL_TESTS: &[Test] = &[
    ("a_wrong_account_is_refused", account),
    ("servers_that_are_not_there_are_told_at_once", nobody),
    ("servers_that_do_not_answer_are_told_in_time", silent),
    ("a_password_comes_from_a_file", password_file),
];

/// The commands that open a store, one that makes it and those that do not.
fn commands(place: &Place) -> Vec<&'static [&'static str]> {
    let mut commands = vec![
        &["check"][..],
        &["create", "--user=a"],
        &["migrate"],
        &["demo"],
    ];
    // Without a schema nothing is opened for it.
    commands.retain(|command| !place.is_redis() || *command != ["migrate"]);
    commands
}

fn with(url: &str, option: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{option}")
}

fn options(place: &Place) {
    let password = format!("password={WRONG}");
    let mut options = vec![
        (
            "colour=red",
            "unknown option `colour`; the known ones are: ",
        ),
        ("durability=volatile", "not one of: sync, relaxed"),
        ("timeout=0s", "timeout of zero"),
        (&password, "`password`"),
    ];
    options.extend(if place.is_redis() {
        [
            ("replicas=-1", "not a whole number"),
            ("connections=0", "not between 1 and"),
        ]
    } else {
        [
            ("migrations=never", "not one of: auto, check"),
            ("pool_size=many", "not a whole number"),
        ]
    });
    for (option, says) in options {
        let url = with(&place.url, option);
        for args in commands(place) {
            place.run_on(&url, args).refused(2, says);
        }
        place.run(&["conformance", &url]).refused(2, says);
    }
}

fn account(place: &Place) {
    let server = place.servers.addresses();
    for url in [
        place.url_of(&format!("tokenkeep:{WRONG}"), &server),
        place.url_of("tokenkeep", &server),
        place.url_of(&format!("nobody:{WRONG}"), &server),
    ] {
        for args in commands(place) {
            place.run_on(&url, args).refused(2, "");
        }
    }
    if place.kind == Kind::Postgres {
        let database = place.url.replace("/tokenkeep?", "/nosuch?");
        place.run_on(&database, &["check"]).refused(2, "nosuch");
    }
}

fn namespace(place: &Place) {
    let only_of_redis: &[_] = if place.is_redis() {
        &["a:b", "a{b}", "a*"]
    } else {
        &["a-b", "a.b"]
    };
    for name in [
        "a%20b",
        "a%22b",
        "a%60b",
        "a%27b",
        "%C3%A9",
        &"x".repeat(65),
    ]
    .iter()
    .chain(only_of_redis)
    {
        let url = place
            .url
            .replace(&format!("={}", place.name), &format!("={name}"));
        for args in commands(place).iter().filter(|args| ***args != ["demo"]) {
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
    let server = format!("127.0.0.1:{port}");
    let url = place.url_of(&format!("a:{WRONG}"), &server);
    for args in commands(place) {
        place.run_on(&url, args).refused(3, "Unavailable");
    }
}

fn silent(place: &Place) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let url = place.url_of(&format!("a:{WRONG}"), &server);
    let url = with(&url, "timeout=300ms");
    for args in commands(place) {
        let began = Instant::now();
        place.run_on(&url, args).refused(3, "Unavailable");
        assert!(began.elapsed() < Duration::from_secs(60), "{args:?}");
    }
}

fn password_file(place: &Place) {
    let password = place.servers.password().unwrap();
    let file = place.home.file("password", &format!("{password}\n"));
    let url = place.url_of("tokenkeep", &place.servers.addresses());
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
    let path = socket.display();
    let (_, rest) = place.url.split_once("://").unwrap();
    let (account, _) = rest.split_once('@').unwrap();
    let url = place.url_of(account, &format!(":{}", server.port()));
    let url = match place.kind {
        // PostgreSQL's option names the folder.
        Kind::Postgres => with(
            &url,
            &format!("host={}", socket.parent().unwrap().display()),
        ),
        Kind::Redis => format!("redis+unix://{account}@{path}?namespace={}", place.name),
        _ => with(&url, &format!("socket={path}")),
    };
    place.run_on(&url, &["create", "--user=ada"]).expect(0);
    let info = place
        .run_on(&url, &["check", "--format=json"])
        .expect(0)
        .json();
    assert_eq!(info["namespace"], *place.name);
}
