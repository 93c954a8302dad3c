//! What an error of the server, or on the way to it, means for a call.

use std::io;

use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use tokenkeep_backend::{Cause, Failure};
use tokenkeep_core::ErrorKind;

/// Why a statement failed. Each is a transaction of its own, so an error reply means that nothing of
/// it was applied.
pub(super) fn of_statement(error: Error) -> Failure {
    match error {
        Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            // The session ends with these, perhaps after the commit.
            Some(error) if error.severity() != PgSeverity::Error => {
                Failure::lost(format!("the server ended the session ({})", error.code()))
            }
            Some(error) => of_server(error),
            None => Failure::refused(ErrorKind::Internal, "an error of another kind of server"),
        },
        Error::Io(error) => Failure::lost(format!("the connection broke ({})", error.kind())),
        Error::Tls(_) | Error::Protocol(_) => Failure::lost("the connection broke"),
        Error::ColumnDecode { index, .. } | Error::ColumnNotFound(index) => Failure::refused(
            ErrorKind::Corrupt,
            format!("a row of the store: column {index} cannot be read"),
        ),
        // The cause may show a value.
        _ => Failure::refused(ErrorKind::Internal, "a statement could not be sent"),
    }
}

/// Why there is no connection. Nothing was sent on it, so nothing was applied.
pub(super) fn of_connecting(error: Error) -> Failure {
    match error {
        Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => of_server(error),
            None => Failure::refused(ErrorKind::Internal, "an error of another kind of server"),
        },
        Error::Io(error) if is_about_tls(&error) => Failure::refused(
            ErrorKind::Config,
            format!("no encrypted connection: {error}"),
        ),
        Error::Io(error) => {
            Failure::refused(ErrorKind::Unavailable, format!("no connection: {error}"))
        }
        Error::Tls(error) | Error::Configuration(error) => Failure::refused(
            ErrorKind::Config,
            format!("no encrypted connection: {error}"),
        ),
        Error::Protocol(problem) => {
            let message = format!("the server is not understood: {problem}");
            Failure::refused(ErrorKind::Config, message)
        }
        _ => Failure::refused(ErrorKind::Internal, "a connection could not be prepared"),
    }
}

/// TLS errors come as errors of reading or writing that hold the true one.
fn is_about_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// By code. The server's own words stand only where they cannot show a value: where they are about
/// accounts, databases and tables.
fn of_server(error: &PgDatabaseError) -> Failure {
    let code = error.code();
    match meaning(code) {
        (Cause::Refused(ErrorKind::Config), words) => Failure::refused(
            ErrorKind::Config,
            format!("{words} ({code}): {}", error.message()),
        ),
        (cause, words) => Failure {
            cause,
            message: format!("{words} ({code})").into(),
        },
    }
}

/// What a code means for the call, in our words.
fn meaning(code: &str) -> (Cause, &'static str) {
    use ErrorKind::{Config, Corrupt, Unavailable};
    match code {
        "40003" => (
            Cause::Lost,
            "the server does not know whether it was applied",
        ),
        "25006" => (Cause::Refused(Unavailable), "the server only reads"),
        "53100" => (Cause::Refused(Unavailable), "the server's disk is full"),
        "53200" => (Cause::Refused(Unavailable), "the server is out of memory"),
        "53300" => (
            Cause::Refused(Unavailable),
            "the server has too many connections",
        ),
        "55P03" => (Cause::Refused(Unavailable), "a lock was not had in time"),
        "57014" => (Cause::Refused(Unavailable), "the statement was cancelled"),
        "57P03" => (
            Cause::Refused(Unavailable),
            "the server is starting or stopping",
        ),
        "XX001" | "XX002" | "58P01" => (Cause::Refused(Corrupt), "the server's files are damaged"),
        "3D000" => (Cause::Refused(Config), "no such database"),
        "3F000" | "42P01" | "42P07" | "42703" => {
            (Cause::Refused(Config), "the schema is not as it must be")
        }
        "42501" => (Cause::Refused(Config), "the account lacks a privilege"),
        "26000" | "42P05" => (
            Cause::Refused(Config),
            "prepared statements got lost: is a pooler in between that is not in session mode?",
        ),
        "2BP01" => (
            Cause::Refused(Config),
            "something else stands in the schema",
        ),
        _ => by_class(code.get(..2).unwrap_or_default()),
    }
}

fn by_class(class: &str) -> (Cause, &'static str) {
    use ErrorKind::{Config, Internal, Unavailable};
    match class {
        "08" => (Cause::Lost, "the connection broke"),
        "0A" => (Cause::Refused(Config), "the server lacks a feature"),
        "28" => (Cause::Refused(Config), "the server refused the account"),
        "40" => (Cause::Again, "other calls were in the way each time"),
        "53" | "57" => (Cause::Refused(Unavailable), "the server cannot work now"),
        "58" => (Cause::Refused(Unavailable), "the server's machine failed"),
        _ => (Cause::Refused(Internal), "the server refused a statement"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_what_may_be_repeated() {
        for code in ["40001", "40P01"] {
            assert_eq!(meaning(code).0, Cause::Again, "{code}");
        }
        for code in ["40003", "08006", "08P01"] {
            assert_eq!(meaning(code).0, Cause::Lost, "{code}");
        }
        for (code, kind) in [
            ("25006", ErrorKind::Unavailable),
            ("53100", ErrorKind::Unavailable),
            ("53300", ErrorKind::Unavailable),
            ("53400", ErrorKind::Unavailable),
            ("55P03", ErrorKind::Unavailable),
            ("57014", ErrorKind::Unavailable),
            ("57P03", ErrorKind::Unavailable),
            ("58030", ErrorKind::Unavailable),
            ("28P01", ErrorKind::Config),
            ("28000", ErrorKind::Config),
            ("3D000", ErrorKind::Config),
            ("42P01", ErrorKind::Config),
            ("42501", ErrorKind::Config),
            ("0A000", ErrorKind::Config),
            ("XX001", ErrorKind::Corrupt),
            ("22001", ErrorKind::Internal),
            ("", ErrorKind::Internal),
        ] {
            assert_eq!(meaning(code).0, Cause::Refused(kind), "{code}");
        }
    }
}
