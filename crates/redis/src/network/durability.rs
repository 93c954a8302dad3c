//! What has to be waited for so that an acknowledged write is as durable as the options ask (R15).

use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{Durability, ErrorKind};

use super::acknowledgement::Acknowledgement;
use super::facts::Facts;
use crate::options::{RedisOptions, Servers};

/// Where a server's writes are when it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Writing {
    /// On disk: it answers afterwards.
    AtOnce,
    /// On disk before long, and that can be waited for.
    BeforeLong,
}

/// How many replicas have to hold a write.
pub(super) fn replicas(options: &RedisOptions) -> u32 {
    let is_sync = options.durability == Durability::Sync;
    let default = match &options.servers {
        Servers::Standalone(_) => 0,
        Servers::Sentinel(_) | Servers::Cluster(_) => u32::from(is_sync),
    };
    options.replicas.unwrap_or(default)
}

/// What writes wait for on these servers beside their answer, which are all masters there are.
///
/// # Errors
///
/// `Config` where a server cannot offer what is asked for.
pub(super) fn acknowledgement(
    options: &RedisOptions,
    masters: &[Facts],
) -> Outcome<Option<Acknowledgement>> {
    let replicas = replicas(options);
    let in_memory = (replicas > 0).then_some(Acknowledgement::Replicas(replicas));
    if options.durability != Durability::Sync {
        return Ok(in_memory);
    }
    let slowest = masters.iter().try_fold(Writing::AtOnce, |slowest, facts| {
        let writing = writing(facts).map_err(|failure| failure.at(&facts.server));
        writing.map(|writing| slowest.max(writing))
    })?;
    Ok(match slowest {
        Writing::AtOnce => in_memory,
        Writing::BeforeLong => Some(Acknowledgement::Disk { replicas }),
    })
}

/// What a server that was changed since it was asked at first does not keep of what acknowledged writes
/// are promised; `awaited` is what they wait for.
pub(super) fn broken_promise(facts: &Facts, awaited: Option<Acknowledgement>) -> Option<String> {
    let waits = matches!(awaited, Some(Acknowledgement::Disk { .. }));
    match writing(facts) {
        Ok(Writing::AtOnce) => None,
        Ok(Writing::BeforeLong) if waits => None,
        Ok(Writing::BeforeLong) => {
            let problem = "appendfsync is not always any more, and writes do not wait for the disk: \
                 open the store again";
            Some(problem.to_owned())
        }
        Err(failure) => Some(failure.message.to_string()),
    }
}

fn writing(facts: &Facts) -> Outcome<Writing> {
    if !facts.has_settings() {
        return unknown(facts);
    }
    let pauses = facts.setting("no-appendfsync-on-rewrite") != Some("no");
    match (facts.setting("appendonly"), facts.setting("appendfsync")) {
        (Some("yes"), Some("always")) if !pauses => Ok(Writing::AtOnce),
        (Some("yes"), Some("always" | "everysec")) if facts.can_wait_for_disk() => {
            Ok(Writing::BeforeLong)
        }
        (Some("yes"), Some("always")) => {
            Err(insufficient("the server has no-appendfsync-on-rewrite yes"))
        }
        (Some("yes"), fsync) => Err(insufficient(&format!(
            "the server has appendfsync {}",
            fsync.unwrap_or("unknown")
        ))),
        _ => Err(insufficient("the server has no append-only file")),
    }
}

/// A server whose settings are not to be had.
fn unknown(facts: &Facts) -> Outcome<Writing> {
    if facts.info("aof_enabled") != Some("1") {
        return Err(insufficient("the server has no append-only file"));
    }
    if facts.can_wait_for_disk() {
        return Ok(Writing::BeforeLong);
    }
    let problem = "the account may not ask how the server writes to disk (CONFIG GET)";
    Err(insufficient(problem))
}

/// Names both ways out.
fn insufficient(problem: &str) -> Failure {
    let ways = "durability=sync needs appendonly yes, appendfsync always and no-appendfsync-on-rewrite no; \
         with appendfsync everysec it needs Redis 7.2, or 8.0 or newer, since Redis 7.4 and Valkey answer \
         WAITAOF before they have written to disk; durability=relaxed does without";
    Failure::refused(ErrorKind::Config, format!("{problem}: {ways}"))
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::facts;
    use super::*;

    const REDIS_7_2: &[(&str, &str)] = &[("redis_version", "7.2.11"), ("aof_enabled", "1")];
    const REDIS_7_4: &[(&str, &str)] = &[("redis_version", "7.4.2"), ("aof_enabled", "1")];

    /// Where writes are on a server of each of the two versions.
    fn places(settings: Option<&[(&str, &str)]>) -> [Option<Writing>; 2] {
        [REDIS_7_2, REDIS_7_4].map(|version| writing(&facts(version, settings)).ok())
    }

    #[test]
    fn a_server_is_waited_for_only_where_its_answer_says_something() {
        use Writing::{AtOnce, BeforeLong};
        for (fsync, on_rewrite, expected) in [
            ("always", "no", [Some(AtOnce), Some(AtOnce)]),
            ("always", "yes", [Some(BeforeLong), None]),
            ("everysec", "no", [Some(BeforeLong), None]),
            ("no", "no", [None, None]),
        ] {
            let settings = [
                ("appendonly", "yes"),
                ("appendfsync", fsync),
                ("no-appendfsync-on-rewrite", on_rewrite),
            ];
            assert_eq!(places(Some(&settings)), expected, "{fsync} {on_rewrite}");
        }
        assert_eq!(places(None), [Some(BeforeLong), None]);
    }
}
