//! Stores that cannot be used.

use std::fs;

use crate::support::Home;

#[test]
fn a_folder_in_use_is_not_opened_twice() {
    let home = Home::new();
    let token = home.token(&["--user=ada"]);
    let mark = fs::read_dir(home.path().join("tokenkeep-data")).unwrap();
    let held: Vec<_> = mark
        .map(|entry| fs::File::open(entry.unwrap().path()).unwrap())
        .inspect(|file| file.lock().unwrap())
        .collect();
    home.run(&["check"]).refused(3, "in use");
    home.run(&["create", "--user=ada"]).refused(3, "in use");
    drop(held);
    home.run(&["check"]).expect(0);
    assert!(home.is_valid(&token));
}

#[test]
fn only_create_makes_a_store() {
    let home = Home::new();
    for args in [
        vec!["validate"],
        vec!["show"],
        vec!["revoke"],
        vec!["revoke-tokens", "--user=ada", "--yes"],
        vec!["list", "--user=ada"],
        vec!["revoked"],
        vec!["revoked", "--follow"],
        vec!["flush"],
        vec!["check"],
    ] {
        let store = [&args[..], &["--store=sled:mistyped"]].concat();
        home.run_with(&store, "tkp_some").refused(2, "mistyped");
        assert!(!home.path().join("mistyped").exists(), "{args:?}");
    }
    home.run(&["check", "--store=sled:wanted?create=true"])
        .expect(0);
    home.run(&["create", "--user=ada", "--store=sled:unwanted?create=false"])
        .refused(2, "unwanted");
    home.run(&["demo", "--tokens=100", "--store=sled:d?create=false"])
        .expect(0);
}

#[test]
fn a_token_that_cannot_be_made_leaves_no_folder() {
    let home = Home::new();
    let long = "x".repeat(65_537);
    for args in [
        ["--user=", "--data="],
        ["--user=ada", "--tenant="],
        ["--user=ada", "--expires-in=0s"],
        ["--user=ada", &format!("--data={long}")],
    ] {
        let args = [&["create"], &args[..]].concat();
        home.run(&args).refused(2, "");
        assert!(!home.path().join("tokenkeep-data").exists(), "{args:?}");
    }
    let large = ["--user=ada", "--data", &long];
    home.create(&[&large[..], &["--store=sled:large?max_data_len=65537"]].concat());
}

#[test]
fn a_token_that_cannot_be_written_is_not_left_active() {
    let home = Home::new();
    for format in ["--format=table", "--format=json"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let args = ["create", "--user=ada", format];
        let ended = home.spawnable(&args).stdout(writer).spawn().unwrap();
        let ended = ended.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(3), "{told}");
        assert!(told.contains("was revoked again"), "{told}");
        let active = home.run(&["list", "--user=ada", "--format=json"]);
        assert_eq!(active.expect(0).lines().len(), 0, "{told}");
        let revoked = home.run(&["revoked", "--format=json"]).lines();
        let audit_id = revoked.last().unwrap()["audit_id"].as_str().unwrap();
        assert!(told.contains(audit_id), "{told}");
    }
}

#[test]
fn a_path_that_is_no_folder_is_a_fault_of_the_configuration() {
    let home = Home::new();
    let file = home.file("file", "text");
    for url in [format!("sled:{file}"), format!("sled:{file}/below")] {
        home.run(&["check", "--store", &url]).refused(2, &file);
        home.run(&["demo", "--store", &url]).refused(2, &file);
        home.run(&["conformance", &url]).refused(2, &file);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "text");
}

#[test]
fn a_damaged_store_is_said_to_be_so_and_left_alone() {
    let home = Home::new();
    home.create(&["--user=ada", "--data", &"x".repeat(10_000)]);
    let file = home.path().join("tokenkeep-data/db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[..middle].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let refused = home.run(&["list", "--user=ada"]);
    refused.refused(3, "Corrupt");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}
