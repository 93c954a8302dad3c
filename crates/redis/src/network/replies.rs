//! What a server's refusals mean.

use redis::{ServerError, Value};
use tokenkeep_backend::Failure;
use tokenkeep_core::ErrorKind;

/// A server's answer to one command: a value, or a refusal.
pub(super) type Answer = Result<Value, ServerError>;

/// Tells the two apart.
pub(super) fn answer(value: Value) -> Answer {
    match value {
        Value::ServerError(error) => Err(error),
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

/// What a refusal means for a call. All but the last one listed come before anything was done.
pub(super) fn failure(error: &ServerError) -> Failure {
    let text = text(error);
    match error.code() {
        // They pass by themselves, and soon.
        "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "BUSY" | "MOVED" | "ASK" => {
            Failure::again(text)
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" => Failure::refused(ErrorKind::Config, text),
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
    let kind = if details.starts_with("max number of clients") {
        ErrorKind::Unavailable
    } else if CONFIGURED.iter().any(|part| details.contains(part)) {
        ErrorKind::Config
    } else {
        ErrorKind::Internal
    };
    Failure::refused(kind, text)
}

/// Parts of refusals that another configuration would not meet.
const CONFIGURED: [&str; 6] = [
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
