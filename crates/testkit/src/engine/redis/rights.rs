//! The accounts of a Redis server.

use crate::engine::{ADMIN, ADMIN_PASSWORD, PASSWORD, SENTINEL_PASSWORD, SENTINEL_USER, USER};

/// What a token store's account needs, and no more: any key, the commands that read, write and run
/// scripts, and questions about the server. It neither changes the server nor empties it.
const APPLICATION: &str = "~* -@all +@read +@write +@scripting +@connection +@transaction \
     -@dangerous +info +role +time +config|get +cluster|slots +cluster|shards +cluster|nodes \
     +cluster|info +cluster|keyslot +cluster|myid";

/// What asking a sentinel for the master takes.
const WATCHER: &str = "resetkeys &* -@all +@connection -@dangerous +role +info +subscribe \
     +psubscribe +unsubscribe +punsubscribe +sentinel";

/// The lines of a server that holds data. The default account is off but keeps its rights: at a restart
/// Redis and Valkey read their log in its name, and leave out what was written in a script or a
/// transaction that it may not execute.
pub(super) fn of_server() -> String {
    format!(
        "user default off ~* &* +@all\n\
         user {USER} on >{PASSWORD} {APPLICATION}\n\
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
