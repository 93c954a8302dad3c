//! The accounts of a Redis server.

use crate::engine::{ADMIN, ADMIN_PASSWORD, PASSWORD, SENTINEL_PASSWORD, SENTINEL_USER, USER};

/// What a token store's account needs: any key, for each test has a namespace of its own; the
/// commands that read and write; scripts; and questions about the server. It neither changes the
/// server nor empties it.
const APPLICATION: &str = "~* -@all +@read +@write +@connection -@dangerous +eval +evalsha \
     +info +time +role +config|get +cluster|slots";

/// What a benchmark does besides, where it does the same without a token store.
const BENCHMARK: &str = "+@transaction +script|load";

/// What asking a sentinel for the master takes.
const WATCHER: &str = "resetkeys -@all +@connection -@dangerous +sentinel|get-master-addr-by-name";

/// The lines of a server that holds data. The default account is off but keeps its rights: at a restart
/// Redis and Valkey read their log in its name, and leave out what was written in a script or a
/// transaction that it may not execute.
pub(super) fn of_server() -> String {
    format!(
        "user default off ~* &* +@all\n\
         user {USER} on >{PASSWORD} {APPLICATION} {BENCHMARK}\n\
         user {ADMIN} on >{ADMIN_PASSWORD} ~* &* +@all\n"
    )
}

/// The lines of a sentinel; a guarded one answers nobody without a password.
pub(super) fn of_sentinel(guarded: bool) -> String {
    let default = if guarded {
        "off".to_owned()
    } else {
        format!("on nopass {WATCHER}")
    };
    format!(
        "user default {default}\n\
         user {SENTINEL_USER} on >{SENTINEL_PASSWORD} {WATCHER}\n\
         user {ADMIN} on >{ADMIN_PASSWORD} ~* &* +@all\n"
    )
}
