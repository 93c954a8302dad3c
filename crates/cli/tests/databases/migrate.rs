//! `tokenkeep migrate`.

use serde_json::Value;

use crate::place::{Kind, Place, Test};

pub(crate) const TESTS: &[Test] = &[
    ("a_store_is_migrated_step_by_step", steps),
    ("a_store_that_is_not_there_is_not_used", not_there),
    ("a_schema_of_a_newer_program_is_refused", newer),
];

fn states(place: &Place, args: &[&str], code: i32) -> Vec<(u64, bool, bool)> {
    let all = [&["migrate", "--format=json"], args].concat();
    let lines = place.run(&all).expect(code).lines();
    let state = |line: &Value| {
        assert!(line["namespace"].as_str().unwrap().contains(&place.name));
        assert!(!line["name"].as_str().unwrap().is_empty());
        let is = |field: &str| line[field].as_bool().unwrap();
        (
            line["version"].as_u64().unwrap(),
            is("applied"),
            is("applied_now"),
        )
    };
    lines.iter().map(state).collect()
}

fn steps(place: &Place) {
    let missing = states(place, &["--status"], 1);
    assert!(missing.len() > 1);
    let versions: Vec<_> = (1..=missing.len() as u64).collect();
    let all = |applied, now| -> Vec<_> {
        let versions = versions.iter();
        versions.map(|version| (*version, applied, now)).collect()
    };
    assert_eq!(missing, all(false, false));
    assert_eq!(states(place, &["--dry-run"], 0), all(false, false));
    let would = place.run(&["migrate", "--dry-run"]).expect(0);
    assert!(would.out.contains("would be applied"), "{would:?}");
    assert_eq!(
        states(place, &["--status"], 1),
        all(false, false),
        "nothing was changed"
    );

    assert_eq!(states(place, &[], 0), all(true, true));
    assert_eq!(states(place, &[], 0), all(true, false));
    assert_eq!(states(place, &["--status"], 0), all(true, false));
    let table = place.run(&["migrate", "--status"]).expect(0);
    assert!(
        table.out.contains("VERSION") && table.out.contains("applied"),
        "{table:?}"
    );
    place.run(&["list", "--user=ada"]).expect(0);
    place
        .run(&["migrate", "--status", "--dry-run"])
        .refused(2, "cannot be used with");
}

fn not_there(place: &Place) {
    for args in [
        &["check"][..],
        &["list", "--user=ada"],
        &["flush"],
        &["revoked"],
    ] {
        place.run(args).refused(2, &place.name);
    }
    assert!(states(place, &["--status"], 1).iter().all(|state| !state.1));
    let careful = match place.kind {
        Kind::Sqlite => format!("{}?migrations=check", place.url),
        _ => format!("{}&migrations=check", place.url),
    };
    let create = ["create", "--user=ada"];
    place.run_on(&careful, &create).refused(2, &place.name);
    place.run(&create).expect(0);
    place.run_on(&careful, &create).expect(0);
    place.run(&["check"]).expect(0);
    if place.kind == Kind::Sqlite {
        let wanted = ["check", "--store=sqlite:wanted.db?create=true"];
        place.run(&wanted).expect(0);
    }
}

fn newer(place: &Place) {
    place.run(&["migrate"]).expect(0);
    match place.kind {
        // The library's own tests write a file's schema; there is no client program for it here.
        Kind::Sqlite => return,
        _ => place.server().sql(&format!(
            "INSERT INTO {}.migrations VALUES (99, 'future', 0)",
            place.name
        )),
    }
    .unwrap();
    for args in [
        &["check"][..],
        &["migrate"],
        &["migrate", "--status"],
        &["create", "--user=a"],
    ] {
        place.run(args).refused(2, "99");
    }
}
