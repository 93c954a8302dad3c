//! Folders that are read while they are written.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::thread;

use tempfile::TempDir;
use tokenkeep_conformance::files::{bytes_of_one_instant, copy_of_one_instant};
use tokenkeep_core::ErrorKind;

fn number(path: &Path) -> u64 {
    u64::from_be_bytes(fs::read(path).unwrap().try_into().unwrap())
}

/// Counts in several files, always in the same order.
fn count(files: &mut [File]) {
    for number in 1..=5_000_u64 {
        for file in &mut *files {
            file.rewind().unwrap();
            file.write_all(&number.to_be_bytes()).unwrap();
        }
    }
}

#[test]
fn a_copy_beside_a_writer_is_of_one_instant() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let names: Vec<_> = (0..8).map(|number| number.to_string()).collect();
    let mut files: Vec<_> = names
        .iter()
        .map(|name| {
            fs::write(from.path().join(name), 0_u64.to_be_bytes()).unwrap();
            File::options()
                .write(true)
                .open(from.path().join(name))
                .unwrap()
        })
        .collect();
    let writer = thread::spawn(move || count(&mut files));
    while !writer.is_finished() {
        copy_of_one_instant(from.path(), to.path()).unwrap();
        let copied: Vec<_> = names.iter().map(|n| number(&to.path().join(n))).collect();
        // The files written in the present round come first and are one ahead.
        assert!(copied.is_sorted_by(|a, b| a >= b), "{copied:?}");
        assert!(copied[0] - copied[7] <= 1, "{copied:?}");
    }
    writer.join().unwrap();
}

#[test]
fn a_copy_has_all_files_and_folders() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let to = to.path().join("a/b");
    fs::create_dir_all(from.path().join("inner/empty")).unwrap();
    fs::write(from.path().join("inner/file"), "one").unwrap();
    fs::write(from.path().join("file"), "two").unwrap();
    copy_of_one_instant(from.path(), &to).unwrap();
    assert_eq!(fs::read(to.join("inner/file")).unwrap(), b"one");
    assert_eq!(fs::read(to.join("file")).unwrap(), b"two");
    assert!(to.join("inner/empty").is_dir());
    assert_eq!(bytes_of_one_instant(&to).unwrap(), b"twoone");
}

#[test]
fn a_missing_folder_is_an_error_at_once() {
    let folder = TempDir::new().unwrap();
    let error = bytes_of_one_instant(&folder.path().join("none")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("none"), "{error}");
}
