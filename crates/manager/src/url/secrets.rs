//! What of a URL is not shown.

use std::ops::Range;

/// Kinds of stores that have a path where others have an account and a server.
const PATHS: [&str; 2] = ["sled", "sqlite"];

/// Options whose values are shown: paths of files that hold a secret among them, since a wrong one has
/// to be found.
const SHOWN: [&str; 22] = [
    "cache_capacity",
    "connections",
    "create",
    "database",
    "durability",
    "host",
    "max_data_len",
    "migrations",
    "namespace",
    "password_file",
    "pool_size",
    "replicas",
    "sentinel_password_file",
    "sentinel_user",
    "shards",
    "socket",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "sslmode",
    "statement_timeout",
    "timeout",
];

/// Where the password lies in what stands between the scheme's `:` and the `?`.
///
/// Up to the last `@` and not the first, so that a password that was left unencoded is masked whole.
/// Without `//` the scheme may have been forgotten, and what looks like one be the user.
pub(super) fn password_in(scheme: &str, rest: &str) -> Option<Range<usize>> {
    let end = rest.rfind('@')?;
    let start = if rest.starts_with("//") || PATHS.contains(&scheme) {
        rest.get(..end)?.find(':')? + 1
    } else {
        0
    };
    (start < end).then_some(start..end)
}

/// Tells whether an option's value is shown: only where its name is known to be that of no secret.
pub(super) fn is_shown(option: &str) -> bool {
    SHOWN.contains(&option)
}

/// Tells whether an option holds a secret by its name. Rather one too many than one too few.
pub(crate) fn is_secret(name: &str) -> bool {
    if is_shown(name) {
        return false;
    }
    let parts = ["pass", "pwd", "secret", "token", "cred", "signature"];
    // Too short to be looked for inside of words: `keyspace`, `author`.
    let words = [
        "pw", "auth", "sig", "jwt", "bearer", "private", "key", "keys",
    ];
    parts.iter().any(|part| name.contains(part))
        || name
            .split(['_', '-'])
            .any(|word| words.contains(&word) || word.ends_with("key"))
}
