//! A damaged store is `Corrupt`, and stays as it was.

mod support;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use support::{Outcome, count, create, files, id, lay_out, open, open_store, raw};
use tokenkeep_core::{ErrorKind, TokenDriver as _};

type Files = BTreeMap<String, Vec<u8>>;

const TOKENS: usize = 1_500;
/// The length of a segment of sled's log.
const SEGMENT: usize = 4 << 20;

/// A store that was opened twice, so that sled has written a snapshot, with tokens from both times.
static OPENED_TWICE: LazyLock<Files> = LazyLock::new(|| make(&[0, 1_000, 1_500], 3_000));

/// A store without a snapshot.
static OPENED_ONCE: LazyLock<Files> = LazyLock::new(|| make(&[0, 1_500], 3_000));

/// A store with tokens so long that sled puts pages into files of their own.
static LONG_DATA: LazyLock<Files> = LazyLock::new(|| make(&[0, 40, 60], 300_000));

/// Opens a store for each stretch of numbers, and makes their tokens.
fn make(bounds: &[u64], len: usize) -> Files {
    let made = run(async {
        let folder = tempfile::tempdir()?;
        for bounds in bounds.windows(2) {
            let driver = open(folder.path()).await?;
            create(&driver, bounds[0]..bounds[1], len).await?;
        }
        Ok(files(folder.path())?)
    });
    made.unwrap_or_default()
}

fn run<T>(test: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(test)
}

/// What came of a change to the files of a store.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// With the message; the files are as they were.
    Corrupt(String),
    /// So many tokens are there.
    Tokens(usize),
}

fn damaged(whole: &Files, damage: impl FnOnce(&mut Files)) -> Outcome<Found> {
    assert!(
        whole.len() >= 3,
        "the store was not made: {:?}",
        whole.keys()
    );
    let mut before = whole.clone();
    damage(&mut before);
    assert_ne!(&before, whole, "nothing was damaged");
    let folder = tempfile::tempdir()?;
    lay_out(folder.path(), &before)?;
    run(async {
        match open(folder.path()).await {
            Ok(driver) => Ok(Found::Tokens(count(&driver).await?)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                assert!(
                    files(folder.path())? == before,
                    "the files were changed: {error}"
                );
                Ok(Found::Corrupt(error.message().to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    })
}

fn is_corrupt(whole: &Files, place: &str, damage: impl FnOnce(&mut Files)) -> Outcome {
    match damaged(whole, damage)? {
        Found::Corrupt(message) if message.contains(place) => Ok(()),
        found => Err(format!("not corrupt at {place}, but {found:?}").into()),
    }
}

fn snapshot(files: &Files) -> String {
    let mut names = files.keys().filter(|name| name.starts_with("snap."));
    names.next().cloned().unwrap_or_default()
}

#[test]
fn whole_stores_are_opened() -> Outcome {
    for (whole, tokens) in [
        (&*OPENED_ONCE, TOKENS),
        (&*OPENED_TWICE, TOKENS),
        (&*LONG_DATA, 60),
    ] {
        let unrelated = |files: &mut Files| {
            files.insert("notes.txt".to_owned(), b"mine".to_vec());
        };
        assert_eq!(damaged(whole, unrelated)?, Found::Tokens(tokens));
    }
    assert_ne!(snapshot(&OPENED_TWICE), "");
    assert_eq!(snapshot(&OPENED_ONCE), "");
    Ok(())
}

#[test]
fn every_damaged_or_missing_small_file_is_corrupt() -> Outcome {
    let snapshot = snapshot(&OPENED_TWICE);
    for name in ["conf", "tokenkeep.mark", &snapshot] {
        let set = |bytes: Vec<u8>| {
            is_corrupt(&OPENED_TWICE, name, move |files| {
                files.insert(name.to_owned(), bytes);
            })
        };
        set(b"garbage ".repeat(3_000))?;
        set(vec![0; 8_192])?;
        set(Vec::new())?;
        let whole = &OPENED_TWICE[name];
        set(whole[..whole.len() / 3].to_vec()).or_else(|error| {
            // Half a mark is enough.
            if name == "tokenkeep.mark" {
                Ok(())
            } else {
                Err(error)
            }
        })?;
        let mut flipped = whole.clone();
        flipped[20] ^= 4;
        if name != "tokenkeep.mark" {
            set(flipped)?;
        }
    }
    for name in ["conf", "tokenkeep.mark"] {
        is_corrupt(&OPENED_TWICE, name, |files| {
            files.remove(name);
        })?;
    }
    Ok(())
}

#[test]
fn a_shortened_database_is_corrupt() -> Outcome {
    for whole in [&*OPENED_ONCE, &*OPENED_TWICE] {
        let len = whole["db"].len();
        for left in [0, 1, 20, 4_096, len / 4, len / 2, len - SEGMENT] {
            is_corrupt(whole, "db", |files| {
                files.entry("db".to_owned()).or_default().truncate(left);
            })?;
        }
        is_corrupt(whole, "db", |files| {
            files.remove("db");
        })?;
    }
    Ok(())
}

#[test]
fn a_database_replaced_by_something_else_is_corrupt() -> Outcome {
    for whole in [&*OPENED_ONCE, &*OPENED_TWICE] {
        for other in [
            b"once upon a time ".repeat(100_000),
            vec![0; 2 << 20],
            vec![0xff; 2 << 20],
        ] {
            is_corrupt(whole, "db", |files| {
                files.insert("db".to_owned(), other);
            })?;
        }
    }
    // The log of another store is whole, but not this one's.
    is_corrupt(&OPENED_TWICE, "file ", |files| {
        files.insert("db".to_owned(), LONG_DATA["db"].clone());
    })
}

#[test]
fn a_changed_byte_in_a_record_is_corrupt() -> Outcome {
    for whole in [&*OPENED_ONCE, &*OPENED_TWICE] {
        for number in [0, 700, 1_499] {
            let name = format!("audit-{number}");
            let mut corrupt = 0;
            for place in places(&whole["db"], name.as_bytes()) {
                match damaged(whole, |files| flip(files, "db", place))? {
                    Found::Corrupt(_) => corrupt += 1,
                    // The page was written anew elsewhere.
                    Found::Tokens(TOKENS) => {}
                    found => return Err(format!("{found:?} for {name} at {place}").into()),
                }
            }
            assert!(corrupt > 0, "{name}");
        }
    }
    Ok(())
}

/// Wherever a byte is changed, no token is lost by it in silence.
#[test]
fn a_changed_byte_anywhere_loses_nothing_in_silence() -> Outcome {
    for whole in [&*OPENED_ONCE, &*OPENED_TWICE] {
        let len = whole["db"].len();
        let mut corrupt = 0;
        // Every header of a segment, and places all over the file.
        let headers = (0..len).step_by(SEGMENT).map(|segment| segment + 7);
        let places: Vec<_> = headers.chain((0..len).step_by(len / 40)).collect();
        for place in &places {
            match damaged(whole, |files| flip(files, "db", *place))? {
                Found::Corrupt(_) => corrupt += 1,
                Found::Tokens(TOKENS) => {}
                found => return Err(format!("{found:?} for a changed byte at {place}").into()),
            }
        }
        assert!(corrupt * 2 > places.len(), "{corrupt} of {}", places.len());
    }
    Ok(())
}

#[test]
fn a_wiped_stretch_of_the_log_loses_nothing_in_silence() -> Outcome {
    for whole in [&*OPENED_ONCE, &*OPENED_TWICE] {
        let mut corrupt = 0;
        for place in [30, 100_000, SEGMENT + 30, 2 * SEGMENT + 200_000] {
            let wipe = |files: &mut Files| {
                let db = files.entry("db".to_owned()).or_default();
                db[place..place + 4_096].fill(0);
            };
            match damaged(whole, wipe)? {
                Found::Corrupt(_) => corrupt += 1,
                // What was there had been written anew elsewhere.
                Found::Tokens(TOKENS) => {}
                found => return Err(format!("{found:?} for a stretch at {place}").into()),
            }
        }
        assert!(corrupt > 1);
    }
    Ok(())
}

#[test]
fn damaged_and_missing_blobs_lose_nothing_in_silence() -> Outcome {
    let blobs = LONG_DATA.keys().filter(|name| name.starts_with("blobs/"));
    let mut corrupt = 0;
    for name in blobs {
        let damages: [fn(&mut Files, &str); 3] = [
            |files, name| drop(files.remove(name)),
            |files, name| flip(files, name, 1_000),
            |files, name| drop(files.insert(name.to_owned(), Vec::new())),
        ];
        for damage in damages {
            match damaged(&LONG_DATA, |files| damage(files, name))? {
                Found::Corrupt(_) => corrupt += 1,
                // sled keeps some that it does not need any more.
                Found::Tokens(60) => {}
                found => return Err(format!("{found:?} for {name}").into()),
            }
        }
    }
    assert!(corrupt > 3, "{corrupt}");
    Ok(())
}

#[test]
fn a_snapshot_that_was_being_written_is_no_damage() -> Outcome {
    let unfinished = |files: &mut Files| {
        let name = format!("{}.generating", snapshot(files));
        files.insert(name, b"unfinished".to_vec());
    };
    assert_eq!(damaged(&OPENED_TWICE, unfinished)?, Found::Tokens(TOKENS));
    Ok(())
}

#[test]
fn a_store_that_was_being_made_is_no_damage() -> Outcome {
    let folder = tempfile::tempdir()?;
    for (name, bytes) in [("tokenkeep.mark", ""), ("conf", ""), ("db", "")] {
        std::fs::write(folder.path().join(name), bytes)?;
        run(async {
            let driver = open(folder.path()).await?;
            assert_eq!(count(&driver).await?, 0);
            Ok(())
        })?;
        std::fs::remove_dir_all(folder.path())?;
        std::fs::create_dir(folder.path())?;
    }
    Ok(())
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    sled::open(folder.path())?.insert("key", "value")?;
    let before = files(folder.path())?;
    let error = run(async { Ok(open(folder.path()).await.err()) })?.ok_or("it was opened")?;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("no token store"), "{error}");
    assert!(files(folder.path())? == before);
    Ok(())
}

#[test]
fn a_store_of_a_newer_layout_is_refused_by_name() -> Outcome {
    run(async {
        let folder = tempfile::tempdir()?;
        drop(open(folder.path()).await?);
        let db = raw(folder.path())?;
        db.open_tree("ns:default")?
            .insert("ms", b"\x02what a newer version writes")?;
        db.flush()?;
        drop(db);
        let store = open_store(folder.path()).await?;
        let error = store.driver("default").await.err().ok_or("it was opened")?;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("layout version 2"), "{error}");
        assert!(store.driver("another").await.is_ok());
        Ok(())
    })
}

#[test]
fn a_damaged_entry_is_corrupt_for_those_who_read_it() -> Outcome {
    run(async {
        let folder = tempfile::tempdir()?;
        let driver = open(folder.path()).await?;
        create(&driver, 0..2, 10).await?;
        drop(driver);
        let db = raw(folder.path())?;
        let key = tokenkeep_layout::Key::Record(id(0)).encode();
        db.open_tree("ns:default")?
            .insert(key, "garbage that is longer than a header is, by far")?;
        db.flush()?;
        drop(db);
        let driver = open(folder.path()).await?;
        let error = driver.get(&id(0)).await.err().ok_or("it was read")?;
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(&id(0).to_string()), "{error}");
        assert!(!error.to_string().contains("garbage"), "{error}");
        assert_eq!(
            driver.delete(&id(0)).await.err().map(|e| e.kind()),
            Some(ErrorKind::Corrupt)
        );
        driver.delete(&id(1)).await?;
        Ok(())
    })
}

fn flip(files: &mut Files, name: &str, place: usize) {
    if let Some(byte) = files.get_mut(name).and_then(|bytes| bytes.get_mut(place)) {
        *byte ^= 0x10;
    }
}

/// Wherever something stands.
fn places(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    let found = |window: &(usize, &[u8])| window.1 == wanted;
    let windows = bytes.windows(wanted.len()).enumerate();
    windows.filter(found).map(|(place, _)| place).collect()
}
