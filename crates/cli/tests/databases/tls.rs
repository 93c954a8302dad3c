//! Encrypted connections.

use std::path::Path;

use tokenkeep_testkit::{Server, Settings, require_or_tell};

use crate::place::{Place, Test};
use crate::scratch::passes;

pub(crate) const TESTS: &[Test] = &[
    ("tls_is_verified_unless_the_url_says_otherwise", verified),
    ("files_about_tls_are_named_where_they_are_wrong", files),
    ("the_suite_holds_up_a_server_that_speaks_tls", suite),
];

pub(crate) const REDIS_TESTS: &[Test] = &[(
    "tls_is_verified_unless_the_url_says_otherwise",
    redis_verified,
)];

/// The URL under the name that the server's certificate has, with these options besides.
fn url(place: &Place, options: &str) -> String {
    format!(
        "{}{options}",
        place.url.replace("@127.0.0.1:", "@localhost:")
    )
}

fn verified(place: &Place) {
    let tls = place.server().tls().unwrap();
    let (ca, stranger) = (tls.ca.display(), tls.stranger.display());
    let create = ["create", "--user=ada"];
    for options in [
        "",
        "&sslmode=disable",
        "&sslmode=require",
        &format!("&ssl-ca={ca}"),
        &format!("&ssl-ca={ca}&sslmode=verify-full"),
    ] {
        place.run_on(&url(place, options), &create).expect(0);
    }
    // The environment's authorities stand for the system's.
    let full = url(place, "&sslmode=verify-full");
    let among = |file| place.run_among(&[("SSL_CERT_FILE", file)], &full, &create);
    among(&*tls.ca).expect(0);
    let answer = among(&tls.stranger);
    assert!(matches!(answer.code, 2 | 3), "{answer:?}");
    for options in [
        "&sslmode=verify-full",
        &format!("&ssl-ca={stranger}"),
        &format!("&ssl-ca={ca}&sslmode=verify-ca"),
        "&ssl-ca=/nowhere/ca.pem",
    ] {
        let answer = place.run_on(&url(place, options), &create);
        assert!(matches!(answer.code, 2 | 3), "{options}: {answer:?}");
        assert_eq!(answer.out, "", "{options}");
    }
}

fn files(place: &Place) {
    let tls = place.server().tls().unwrap();
    let (ca, key) = (tls.ca.display(), tls.key.display());
    let create = ["create", "--user=ada"];
    for (options, says) in [
        ("&ssl-ca=/nowhere/ca.pem".to_owned(), "ssl-ca /nowhere"),
        (
            "&ssl-ca=/tmp".to_owned(),
            "ssl-ca /tmp: it is no regular file",
        ),
        (format!("&ssl-ca={key}"), "no PEM block CERTIFICATE"),
        (format!("&ssl-cert={ca}&ssl-key={ca}"), "ssl-key "),
    ] {
        place
            .run_on(&url(place, &options), &create)
            .refused(2, says);
    }
    let full = url(place, "&sslmode=verify-full");
    let nowhere = Path::new("/nowhere/authorities.pem");
    let among = |url: &str| place.run_among(&[("SSL_CERT_FILE", nowhere)], url, &create);
    among(&full).refused(2, "SSL_CERT_FILE: /nowhere/authorities.pem");
    among(&url(place, "")).expect(0);
    among(&url(place, &format!("&ssl-ca={ca}"))).expect(0);
}

fn suite(place: &Place) {
    let ca = place.server().tls().unwrap().ca.display();
    let url = url(place, &format!("&sslmode=verify-full&ssl-ca={ca}"));
    for filter in [
        "contract::what_is_stored",
        "creates_survive_a_kill",
        "faults::a_thawed_backend_is_used",
        "faults::a_read_only_backend_refuses",
    ] {
        passes(place, &url, filter);
    }
}

/// A Redis server speaks TLS alone where it does.
fn redis_verified(place: &Place) {
    let Some(server) = require_or_tell(Server::redis(&Settings::new().with_tls())) else {
        return;
    };
    let tls = server.tls().unwrap();
    let (ca, stranger) = (tls.ca.display(), tls.stranger.display());
    let create = ["create", "--user=ada"];
    let plain = server.url("tls").replace("@127.0.0.1:", "@localhost:");
    let url = plain.replace("redis:", "rediss:");
    for url in [
        format!("{url}&ssl-ca={ca}"),
        format!("{url}&ssl-ca={ca}&sslmode=verify-full"),
        format!("{url}&sslmode=require"),
        format!("{plain}&ssl-ca={ca}"),
        url.replace("rediss:", "valkeys:") + &format!("&ssl-ca={ca}"),
    ] {
        place.run_on(&url, &create).expect(0);
    }
    let among = |file| place.run_among(&[("SSL_CERT_FILE", file)], &url, &create);
    among(&*tls.ca).expect(0);
    let answer = among(&tls.stranger);
    assert!(matches!(answer.code, 2 | 3), "{answer:?}");
    among(Path::new("/nowhere/a.pem")).refused(2, "SSL_CERT_FILE: /nowhere/a.pem");
    for url in [
        plain.clone(),
        url.clone(),
        format!("{url}&ssl-ca={stranger}"),
        format!("{url}&ssl-ca={ca}&sslmode=verify-ca"),
        format!("{url}&sslmode=disable"),
        format!("{url}&ssl-ca=/nowhere/ca.pem"),
    ] {
        let answer = place.run_on(&format!("{url}&timeout=2s"), &create);
        assert!(matches!(answer.code, 2 | 3), "{url}: {answer:?}");
        assert_eq!(answer.out, "", "{url}");
    }
    for filter in [
        "contract::what_is_stored",
        "faults::a_thawed_backend_is_used",
    ] {
        passes(place, &format!("{url}&ssl-ca={ca}"), filter);
    }
}
