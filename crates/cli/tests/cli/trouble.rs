//! Stores that cannot be used.

use std::fs;
use std::io::{BufRead, BufReader};

use crate::support::Home;

#[test]
fn a_folder_in_use_is_not_opened_twice() {
    let home = Home::new();
    let token = home.token(&["--user=ada"]);
    home.run_with(&["revoke"], &token).expect(0);
    let mut holder = home
        .spawnable(&["revoked", "--follow", "--format=json"])
        .spawn()
        .unwrap();
    // Its first line shows that it has the store open.
    let mut line = String::new();
    let mut lines = BufReader::new(holder.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    home.run(&["check"]).refused(3, "in use");
    home.run(&["create", "--user=ada"]).refused(3, "in use");
    holder.kill().unwrap();
    holder.wait().unwrap();
    home.run(&["check"]).expect(0);
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
