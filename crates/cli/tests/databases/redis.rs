//! What is Redis's alone.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokenkeep_testkit::{Server, require_or_tell, shared};

use crate::place::{Kind, Place, Test};

pub(crate) const TESTS: &[Test] = &[
    ("a_store_without_a_schema_has_nothing_to_migrate", migrate),
    ("only_create_makes_a_store", not_there),
    ("servers_of_another_form_are_told_by_their_scheme", forms),
];

pub(crate) const ONE_SERVER_TESTS: &[Test] = &[("a_valkey_server_is_one", valkey)];

pub(crate) const OWN_TESTS: &[Test] = &[("frozen_servers_are_told_in_time", frozen)];

/// Executes a command through the client program as the administrator, as a person would paste it.
pub(crate) fn client(server: &Server, command: &str) {
    let mut client = Command::new("redis-cli")
        .args(["-s", &server.socket().display().to_string()])
        .args(["-e", "--no-auth-warning"])
        .args(["--user", server.admin(), "--pass", server.admin_password()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    writeln!(input, "{command}").unwrap();
    drop(input);
    let ended = client.wait_with_output().unwrap();
    assert!(ended.status.success(), "{command}: {ended:?}");
}

fn migrate(place: &Place) {
    for args in [
        &["migrate"][..],
        &["migrate", "--status"],
        &["migrate", "--dry-run"],
    ] {
        let told = place.run(args).expect(0);
        assert_eq!(told.out, "", "{told:?}");
        assert!(told.err.contains("nothing to migrate"), "{told:?}");
    }
    place.run(&["check"]).refused(2, &place.name);
}

fn not_there(place: &Place) {
    for args in [
        &["check"][..],
        &["list", "--user=ada"],
        &["flush"],
        &["revoked"],
        &["revoked", "--follow"],
        &["revoke-tokens", "--user=ada", "--yes"],
    ] {
        place.run(args).refused(2, &place.name);
    }
    let create = ["create", "--user=ada"];
    let careful = format!("{}&create=false", place.url);
    place.run_on(&careful, &create).refused(2, &place.name);
    place.run(&create).expect(0);
    place.run_on(&careful, &create).expect(0);
    place.run(&["check"]).expect(0);
}

/// The URL of another form for the servers of this one is refused, and says which form it is.
fn forms(place: &Place) {
    let (account, _) = place.url.rsplit_once('@').unwrap();
    let (_, account) = account.split_once("://").unwrap();
    let address = place.servers.addresses();
    let (first, _) = address.split_once(',').unwrap_or((&address, ""));
    let node = place.servers.all()[0].address();
    let name = &place.name;
    let one = |at: &str| format!("redis://{account}@{at}?namespace={name}&timeout=20s");
    let (user, password) = account.split_once(':').unwrap();
    let sentinel = |at: &str| {
        // What is taken for a sentinel has the account of a server.
        let asking = format!("sentinel_user={user}&sentinel_password={password}");
        format!("redis+sentinel://{account}@{at}/token-store?timeout=20s&{asking}")
    };
    let cluster = |at: &str| format!("redis+cluster://{account}@{at}?namespace={name}&timeout=20s");
    let refused = |url: String, says: &str| {
        for args in [&["check"][..], &["create", "--user=ada"], &["demo"]] {
            place.run_on(&url, args).refused(2, says);
        }
    };
    match place.kind {
        Kind::Cluster => {
            refused(one(&node), "redis+cluster:");
            refused(sentinel(&node), "no sentinel");
        }
        Kind::Sentinel => {
            // Sentinels do not know the account of the servers.
            let server = place.servers.all()[0];
            let (admin, password) = (server.admin(), server.admin_password());
            refused(
                format!("redis://{admin}:{password}@{first}"),
                "redis+sentinel:",
            );
            refused(cluster(&node), "redis:");
            refused(sentinel(&node), "no sentinel");
            let other = place.url.replace("/token-store", "/another");
            refused(other, "another");
        }
        _ => {
            refused(cluster(&node), "begins with redis:");
            refused(sentinel(&node), "no sentinel");
        }
    }
}

fn valkey(place: &Place) {
    let Some(server) = require_or_tell(shared::valkey()) else {
        return;
    };
    let url = server.url(&place.name).replace("redis:", "valkey:");
    place.run_on(&url, &["create", "--user=ada"]).expect(0);
    let told = place.run_on(&url, &["check"]).expect(0);
    assert!(told.out.contains("Valkey "), "{told:?}");
}

fn frozen(place: &Place) {
    let token = place.home.token(&["--user=ada"]);
    let url = format!("{}&timeout=1s", place.url);
    for server in place.servers.all() {
        server.freeze().unwrap();
    }
    for args in [
        &["check"][..],
        &["create", "--user=ada"],
        &["list", "--user=ada"],
        &["revoked"],
        &["flush"],
        &["revoke-tokens", "--user=ada", "--yes"],
        &["demo"],
        &["conformance", &url],
    ] {
        let began = Instant::now();
        let answer = match args {
            ["conformance", ..] => place.run(args),
            _ => place.run_on(&url, args),
        };
        answer.refused(3, "");
        // A command may connect more than once, and the demo removes what it may have made.
        assert!(began.elapsed() < Duration::from_secs(60), "{args:?}");
    }
    for server in place.servers.all() {
        server.thaw();
    }
    assert!(place.home.is_valid(&token));
}
