//! `revoked --follow` over a server that comes and goes.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::place::{Place, Test};
use crate::support::signal;

pub(crate) const TESTS: &[Test] = &[("a_followed_feed_outlasts_a_restart", restart)];

/// Creates a token and revokes it; gives its audit id.
fn revoke(place: &Place) -> String {
    let created = place.home.create(&["--user=ada"]);
    let token = created["token"].as_str().unwrap();
    place.home.run_with(&["revoke"], token).expect(0);
    created["audit_id"].as_str().unwrap().to_owned()
}

fn restart(place: &Place) {
    let first = revoke(place);
    let follow = ["revoked", "--follow", "--interval=20ms", "--format=json"];
    let mut following = place.home.spawnable(&follow).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut told = BufReader::new(following.stderr.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["audit_id"], *first);

    place.server().kill().unwrap();
    let outage = told.next().unwrap().unwrap();
    assert!(outage.contains("trying again"), "{outage}");
    place.server().restart().unwrap();
    let second = revoke(place);
    assert_eq!(next()["audit_id"], *second, "nothing twice, nothing missed");
    let answers = told.next().unwrap().unwrap();
    assert!(answers.contains("can be used again"), "{answers}");

    signal(&following, "INT");
    assert_eq!(following.wait().unwrap().code(), Some(0));
}
