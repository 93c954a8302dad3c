//! What an error of the server, or on the way to it, means for a call.

use std::io;

use sqlx::Error;
use sqlx::mysql::MySqlDatabaseError;
use tokenkeep_backend::{Cause, Failure, Outcome};
use tokenkeep_core::ErrorKind;

use super::connect::Sessions;
use crate::pool::Link;

/// A row with the same key exists.
const DUPLICATE: u16 = 1062;

/// Why a statement failed. An error reply means that nothing of the statement was applied, unless
/// the code says otherwise.
pub(super) fn of_statement(error: Error) -> Failure {
    match error {
        Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => of_server(error),
            None => Failure::refused(ErrorKind::Internal, "an error of another kind of server"),
        },
        Error::Io(error) => Failure::lost(format!("the connection broke ({})", error.kind())),
        Error::Tls(_) | Error::Protocol(_) => Failure::lost("the connection broke"),
        Error::RowNotFound => Failure::refused(ErrorKind::Corrupt, "store: its row is missing"),
        Error::ColumnDecode { index, .. } | Error::ColumnNotFound(index) => Failure::refused(
            ErrorKind::Corrupt,
            format!("a row of the store: column {index} cannot be read"),
        ),
        // The cause may show a value.
        _ => Failure::refused(ErrorKind::Internal, "a statement could not be sent"),
    }
}

/// Why a commit failed: only where the server surely took the transaction back is nothing applied.
pub(super) fn of_commit(error: Error) -> Failure {
    match of_statement(error) {
        Failure {
            cause: Cause::Again,
            message,
        } => Failure::again(message),
        Failure { message, .. } => Failure::lost(message),
    }
}

/// Why there is no connection. Nothing was sent on it, so nothing was applied.
pub(super) fn of_connecting(error: Error) -> Failure {
    match error {
        Error::Io(error) if is_about_tls(&error) => Failure::refused(
            ErrorKind::Config,
            format!("no encrypted connection: {error}"),
        ),
        Error::Io(error) => {
            Failure::refused(ErrorKind::Unavailable, format!("no connection: {error}"))
        }
        Error::Tls(error) | Error::Configuration(error) => {
            Failure::refused(ErrorKind::Config, format!("no connection: {error}"))
        }
        Error::Protocol(problem) => Failure::refused(
            ErrorKind::Config,
            format!("the server is not understood: {problem}"),
        ),
        error => unsent(of_statement(error)),
    }
}

/// What a lost answer means where nothing was sent that the server would keep.
pub(super) fn unsent(failure: Failure) -> Failure {
    match failure.cause {
        Cause::Lost => Failure::refused(ErrorKind::Unavailable, failure.message),
        Cause::Refused(_) | Cause::Again => failure,
    }
}

/// Gives a connection back after the answer to a single statement, unless the session ended with it.
pub(super) fn end<T>(link: Link<Sessions>, answer: Result<T, Error>) -> Outcome<T> {
    let is_over = matches!(&answer, Err(error) if number(error).is_some_and(ends_session));
    let outcome = answer.map_err(of_statement);
    if is_over {
        drop(link);
        return outcome;
    }
    link.end(outcome)
}

/// The server closes a connection over these.
fn ends_session(number: u16) -> bool {
    matches!(
        number,
        1053 | 1079 | 1080 | 1153..=1161 | 1184 | 1927 | 4031
    )
}

/// Why a row that was read makes no sense.
pub(super) fn of_row(error: tokenkeep_core::Error) -> Failure {
    Failure::refused(error.kind(), error.message().to_owned())
}

/// Tells whether a row with the same key exists.
pub(super) fn is_duplicate(error: &Error) -> bool {
    number(error) == Some(DUPLICATE)
}

/// The server's number of an error, if it is one of the server's.
pub(super) fn number(error: &Error) -> Option<u16> {
    let error = error.as_database_error()?;
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// TLS errors come as errors of reading or writing that hold the true one.
fn is_about_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// By number. The server's own words stand only where they cannot show a value: where they are about
/// accounts, databases, tables and settings.
fn of_server(error: &MySqlDatabaseError) -> Failure {
    let number = error.number();
    match meaning(number) {
        (Cause::Refused(ErrorKind::Config), words) => Failure::refused(
            ErrorKind::Config,
            format!("{words} ({number}): {}", error.message()),
        ),
        (cause, words) => Failure {
            cause,
            message: format!("{words} ({number})").into(),
        },
    }
}

/// What a number means for the call, in our words.
fn meaning(number: u16) -> (Cause, &'static str) {
    use ErrorKind::{Config, Corrupt, Internal, Unavailable};
    match number {
        // A deadlock takes the transaction back; a lock not had in time the statement, and the
        // caller the rest.
        1020 | 1205 | 1213 | 3101 => (Cause::Again, "other calls were in the way each time"),
        1412 | 1615 => (Cause::Again, "the schema changed at each attempt"),
        1158..=1161 | 1184 | 1927 => (Cause::Lost, "the connection broke"),
        1053 | 1079 => (Cause::Lost, "the server is shutting down"),
        // What was cut off may have been at its commit.
        1317 | 1907 | 1969 | 3024 => (Cause::Lost, "the server cut the statement off"),
        1180 | 1598 => (Cause::Lost, "the commit failed"),
        1040 | 1203 | 1226 => (
            Cause::Refused(Unavailable),
            "the server has too many connections",
        ),
        1461 => (
            Cause::Refused(Unavailable),
            "the server has too many prepared statements",
        ),
        1290 | 1792 | 1836 => (Cause::Refused(Unavailable), "the server only reads"),
        1021 | 1026 | 1114 => (Cause::Refused(Unavailable), "the server's disk is full"),
        1037 | 1038 | 1041 | 1135 | 1206 => {
            (Cause::Refused(Unavailable), "the server is out of memory")
        }
        1047 | 1129 | 3032 | 3100 => (Cause::Refused(Unavailable), "the server cannot work now"),
        4031 => (Cause::Refused(Unavailable), "the session had ended before"),
        1045 | 1130 | 1251 | 1275 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 3955 | 4151 => {
            (Cause::Refused(Config), "the server refused the account")
        }
        1044 | 1142 | 1143 | 1227 => (Cause::Refused(Config), "the account lacks a privilege"),
        1049 | 1102 => (Cause::Refused(Config), "no such database"),
        1054 | 1146 | 1932 => (Cause::Refused(Config), "the schema is not as it must be"),
        1153 => (
            Cause::Refused(Config),
            "the server's max_allowed_packet is too small",
        ),
        1665 => (
            Cause::Refused(Config),
            "the server's binlog_format is STATEMENT",
        ),
        1064 | 1193 | 1231 | 1286 => (Cause::Refused(Config), "the server lacks a feature"),
        1034 | 1035 | 1194 | 1195 | 1712 | 1877 => {
            (Cause::Refused(Corrupt), "the server's files are damaged")
        }
        _ => (Cause::Refused(Internal), "the server refused a statement"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_what_may_be_repeated() {
        for number in [1020, 1205, 1213, 1412, 1615, 3101] {
            assert_eq!(meaning(number).0, Cause::Again, "{number}");
        }
        for number in [1053, 1079, 1159, 1180, 1184, 1317, 1927, 1969, 3024] {
            assert_eq!(meaning(number).0, Cause::Lost, "{number}");
        }
        for (number, kind) in [
            (1040, ErrorKind::Unavailable),
            (1203, ErrorKind::Unavailable),
            (1290, ErrorKind::Unavailable),
            (1836, ErrorKind::Unavailable),
            (1114, ErrorKind::Unavailable),
            (4031, ErrorKind::Unavailable),
            (1045, ErrorKind::Config),
            (1044, ErrorKind::Config),
            (1049, ErrorKind::Config),
            (1142, ErrorKind::Config),
            (1146, ErrorKind::Config),
            (1153, ErrorKind::Config),
            (1665, ErrorKind::Config),
            (1194, ErrorKind::Corrupt),
            (1366, ErrorKind::Internal),
            (DUPLICATE, ErrorKind::Internal),
        ] {
            assert_eq!(meaning(number).0, Cause::Refused(kind), "{number}");
        }
    }

    #[test]
    fn a_failed_commit_leaves_doubt() {
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(of_commit(Error::Io(broken())).cause, Cause::Lost);
        assert_eq!(of_commit(Error::WorkerCrashed).cause, Cause::Lost);
    }

    #[test]
    fn what_is_lost_before_anything_was_sent_was_not_applied() {
        let broken = || Failure::lost("broken");
        let unavailable = Cause::Refused(ErrorKind::Unavailable);
        assert_eq!(unsent(broken()).cause, unavailable);
        assert_eq!(unsent(Failure::again("busy")).cause, Cause::Again);
    }

    #[test]
    fn an_encryption_that_fails_is_told_from_a_network_that_does() {
        let tls = io::Error::new(io::ErrorKind::InvalidData, "certificate");
        let failure = of_connecting(Error::Io(tls));
        assert_eq!(failure.cause, Cause::Refused(ErrorKind::Config));
        let network = io::Error::from(io::ErrorKind::ConnectionRefused);
        let failure = of_connecting(Error::Io(network));
        assert_eq!(failure.cause, Cause::Refused(ErrorKind::Unavailable));
    }
}
