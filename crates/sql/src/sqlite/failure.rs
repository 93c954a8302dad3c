//! From SQLite's result codes to what they mean for a call.

use tokenkeep_backend::{Cause, Failure};
use tokenkeep_core::ErrorKind;

/// What is told where the path leads to another file than it did, or to none.
pub(super) const GONE: &str =
    "the file, or the log beside it, was replaced or removed since the store was opened";

/// The code of a commit that was refused on this side.
const COMMIT_REFUSED: u32 = 531;

/// The failure of a statement.
///
/// SQLite's own text is used for nothing but to tell a missing table from other faults: it may show
/// values.
pub(super) fn failed(error: sqlx::Error) -> Failure {
    let sqlx::Error::Database(error) = error else {
        return Failure::lost("the connection to the file broke");
    };
    let code = number(&*error);
    let is_gone = error.message().starts_with("no such ");
    let (cause, problem) = meaning(code, is_gone);
    Failure {
        cause,
        message: format!("{problem} (SQLite code {code})").into(),
    }
}

/// The failure of a look, which leaves no doubt.
pub(super) fn reading(error: sqlx::Error) -> Failure {
    let failure = failed(error);
    match failure.cause {
        Cause::Lost => Failure::refused(ErrorKind::Unavailable, failure.message),
        _ => failure,
    }
}

/// The failure of the first look at a file, which tells whether it may be used at all.
pub(super) fn opening(error: sqlx::Error) -> Failure {
    match code(&error) & 0xff {
        3 | 8 | 14 | 23 => Failure::refused(
            ErrorKind::Config,
            "the file cannot be opened: see to its rights and its folder's, and that its disk is not \
             read-only",
        ),
        _ => reading(error),
    }
}

/// A row that makes no sense.
pub(super) fn unreadable(error: tokenkeep_core::Error) -> Failure {
    Failure::refused(error.kind(), error.message().to_owned())
}

fn code(error: &sqlx::Error) -> u32 {
    error.as_database_error().map_or(0, number)
}

fn number(error: &dyn sqlx::error::DatabaseError) -> u32 {
    let code = error.code().and_then(|code| code.parse().ok());
    code.unwrap_or(0)
}

const fn meaning(code: u32, is_gone: bool) -> (Cause, &'static str) {
    use Cause::{Again, Lost, Refused};
    use ErrorKind::{Config, Corrupt, Internal, Unavailable};
    if code == COMMIT_REFUSED {
        return (Refused(Unavailable), GONE);
    }
    // The low byte is the code proper; the rest says more.
    match code & 0xff {
        1 if is_gone => (Refused(Config), "the file lacks a table of the schema"),
        3 | 23 => (Refused(Config), "access to the file was denied"),
        5 | 6 | 15 => (Again, "another program holds the file"),
        7 => (Refused(Unavailable), "there is no memory left"),
        8 => (Refused(Unavailable), "the file cannot be written"),
        9 => (Refused(Unavailable), "the statement was interrupted"),
        // What was written before the disk failed may come back after a crash.
        10 => (Lost, "the disk failed"),
        11 => (Refused(Corrupt), "the file is damaged"),
        13 => (Refused(Unavailable), "the disk is full"),
        14 => (Refused(Unavailable), "the file cannot be opened"),
        17 => (Again, "the schema has just changed"),
        26 => (Refused(Config), "the file is no SQLite database"),
        _ => (Refused(Internal), "the statement failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_file_is_tried_again_and_a_failed_disk_leaves_doubt() {
        // SQLITE_BUSY_SNAPSHOT, SQLITE_IOERR_FSYNC, SQLITE_FULL
        assert_eq!(meaning(517, false).0, Cause::Again);
        assert_eq!(meaning(1034, false).0, Cause::Lost);
        let full = Cause::Refused(ErrorKind::Unavailable);
        assert_eq!(meaning(13, false).0, full);
    }
}
