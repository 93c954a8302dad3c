//! What a server's refusals mean.

use std::ops::Deref;
use std::sync::Arc;

use redis::{ServerError, Value};
use tokenkeep_backend::Failure;
use tokenkeep_core::ErrorKind;

/// A server's answer to one command: a value, or a refusal.
pub(super) type Answer = Result<Value, Refusal>;

/// What a server answered instead of a value, and which server that was.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    error: ServerError,
    server: Arc<str>,
}

impl Deref for Refusal {
    type Target = ServerError;

    fn deref(&self) -> &ServerError {
        &self.error
    }
}

/// Tells the two apart.
pub(super) fn answer(value: Value, server: &Arc<str>) -> Answer {
    match value {
        Value::ServerError(error) => Err(Refusal {
            error,
            server: Arc::clone(server),
        }),
        value => Ok(value),
    }
}

/// Whether the server does not know the script by its hash.
pub(super) fn is_unknown_script(error: &ServerError) -> bool {
    error.code() == "NOSCRIPT"
}

/// Whether this server is no master, so that another one is to be asked.
pub(super) fn is_no_master(error: &ServerError) -> bool {
    matches!(error.code(), "READONLY" | "MASTERDOWN")
}

/// What a refusal means for a call; it names the server.
pub(super) fn failure(refusal: &Refusal) -> Failure {
    meaning(refusal).at(&refusal.server)
}

/// The same without the server's name. Servers refuse before they do anything, also in the midst of a
/// script that has written nothing yet; but a wait that is ended is no refusal of what came before it.
pub(super) fn meaning(error: &ServerError) -> Failure {
    let text = text(error);
    match error.code() {
        // They pass by themselves, and soon.
        "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "BUSY" | "MOVED" | "ASK" => {
            Failure::again(text)
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED" => Failure::refused(ErrorKind::Config, text),
        "CORRUPT" | "WRONGTYPE" => Failure::refused(ErrorKind::Corrupt, text),
        "READONLY" | "NOREPLICAS" | "MISCONF" | "OOM" => {
            Failure::refused(ErrorKind::Unavailable, text)
        }
        "UNBLOCKED" => Failure::lost(text),
        _ => general(error, text),
    }
}

/// Refusals that have no code of their own.
fn general(error: &ServerError, text: String) -> Failure {
    let details = error.details().unwrap_or_default();
    let is_any_of = |parts: &[&str]| parts.iter().any(|part| details.contains(part));
    let kind = if is_any_of(&PASSING) {
        ErrorKind::Unavailable
    } else if is_any_of(&CONFIGURED) {
        ErrorKind::Config
    } else {
        ErrorKind::Internal
    };
    Failure::refused(kind, text)
}

/// Parts of refusals that another time would not meet. A script that has written is not killed.
const PASSING: [&str; 2] = ["max number of clients", "Script killed"];

/// Parts of refusals that another configuration would not meet.
const CONFIGURED: [&str; 7] = [
    // Redis 7.0 has no code for it.
    "The user executing the script can't",
    "DB index is out of range",
    "invalid DB index",
    "SELECT is not allowed in cluster mode",
    "cluster support disabled",
    "AUTH <password> called without any password",
    "unknown command",
];

/// The server's words, without those that repeat what it was sent.
pub(super) fn text(error: &ServerError) -> String {
    let details = error.details().unwrap_or_default();
    let details = details.split(", with args").next().unwrap_or_default();
    let told = format!("the server answered {} {details}", error.code());
    format!("{}{}", told.trim_end(), hint(details))
}

/// What is meant where the URL's scheme is that of other servers.
fn hint(details: &str) -> &'static str {
    if details.contains("cluster support disabled") {
        "; a server by itself is named by a URL that begins with redis:"
    } else if details.contains("unknown command 'SENTINEL'") {
        "; it is no sentinel"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use tokenkeep_backend::Cause;

    use super::*;

    fn refusal(line: &str) -> Refusal {
        let bytes = format!("-{line}\r\n").into_bytes();
        let value = redis::parse_redis_value(&bytes).unwrap();
        answer(value, &"db:6379".into()).unwrap_err()
    }

    #[test]
    fn each_refusal_has_its_meaning() {
        use ErrorKind::{Config, Corrupt, Internal, Unavailable};
        for (line, cause) in [
            (
                "TRYAGAIN Multiple keys request during rehashing",
                Cause::Again,
            ),
            ("CLUSTERDOWN The cluster is down", Cause::Again),
            (
                "LOADING Redis is loading the dataset in memory",
                Cause::Again,
            ),
            ("BUSY Redis is busy running a script", Cause::Again),
            ("NOAUTH Authentication required.", Cause::Refused(Config)),
            (
                "WRONGPASS invalid username-password pair",
                Cause::Refused(Config),
            ),
            (
                "DENIED Redis is running in protected mode",
                Cause::Refused(Config),
            ),
            ("ERR DB index is out of range", Cause::Refused(Config)),
            (
                "ERR unknown command 'EVALSHA', with args beginning with: 'x'",
                Cause::Refused(Config),
            ),
            ("CORRUPT a record", Cause::Refused(Corrupt)),
            (
                "READONLY You can't write against a read only replica.",
                Cause::Refused(Unavailable),
            ),
            (
                "MISCONF Errors writing to the AOF file",
                Cause::Refused(Unavailable),
            ),
            ("OOM command not allowed", Cause::Refused(Unavailable)),
            (
                "ERR max number of clients reached",
                Cause::Refused(Unavailable),
            ),
            (
                "ERR Error running script: Script killed by user",
                Cause::Refused(Unavailable),
            ),
            ("ERR syntax error", Cause::Refused(Internal)),
            (
                "UNBLOCKED force unblock from blocking operation",
                Cause::Lost,
            ),
        ] {
            assert_eq!(failure(&refusal(line)).cause, cause, "{line}");
        }
    }

    #[test]
    fn the_server_that_refuses_is_named() {
        let failure = failure(&refusal("NOPERM this user has no permissions"));
        let expected = "db:6379: the server answered NOPERM this user has no permissions";
        assert_eq!(&*failure.message, expected);
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let line = "ERR unknown command 'EVALSHA', with args beginning with: 'secret'";
        let text = text(&refusal(line));
        assert_eq!(text, "the server answered ERR unknown command 'EVALSHA'");
    }
}
