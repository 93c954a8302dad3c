//! What a server says of itself.

use redis::{Pipeline, Value};
use tokenkeep_backend::{Call, Failure, Outcome};

use super::node::Node;
use super::replies::{self, Answer};

/// The settings that are asked for.
const SETTINGS: [&str; 6] = [
    "appendonly",
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "save",
    "maxmemory-policy",
    "min-replicas-to-write",
];

/// What a server says of itself.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Its address.
    pub(super) server: String,
    info: Vec<(String, String)>,
    /// `None` where the account may not ask.
    settings: Option<Vec<(String, String)>>,
    /// Its clock, in microseconds since 1970.
    pub(super) time: Option<i64>,
}

impl Facts {
    /// Asks a server, in one round trip.
    pub(super) async fn of(node: &Node, call: &Call) -> Outcome<Self> {
        let mut commands = Pipeline::with_capacity(3);
        commands.cmd("INFO").cmd("TIME").cmd("CONFIG").arg("GET");
        for name in SETTINGS {
            commands.arg(name);
        }
        let answers = call.bound(node.send_all(call, &commands)).await;
        answers
            .and_then(|answers| read(node, answers))
            .map_err(|failure| node.named(failure))
    }

    /// A line of what it tells everyone.
    pub(super) fn info(&self, name: &str) -> Option<&str> {
        value(&self.info, name)
    }

    /// The same, as a number; none where it is none.
    pub(super) fn number(&self, name: &str) -> u64 {
        let number = self.info(name).and_then(|text| text.parse().ok());
        number.unwrap_or(0)
    }

    /// Whether the account may ask for settings.
    pub(super) const fn has_settings(&self) -> bool {
        self.settings.is_some()
    }

    /// One of its settings, where the account may ask.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        value(self.settings.as_ref()?, name)
    }

    pub(super) fn is_valkey(&self) -> bool {
        self.info("valkey_version").is_some()
    }

    /// Name and version.
    pub(super) fn version(&self) -> String {
        match self.info("valkey_version") {
            Some(version) => format!("Valkey {version}"),
            None => format!("Redis {}", self.info("redis_version").unwrap_or("?")),
        }
    }

    /// Whether it is this version of Redis or a later one. Any Valkey is later than 7.2.
    pub(super) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.is_valkey() || self.redis_version() >= (major, minor)
    }

    /// Whether `WAITAOF` answers only once a write is on disk. Redis 7.4 and every Valkey that is known answer it
    /// up to a second before where `appendfsync` is `everysec`; Redis was mended before 8.0.
    pub(super) fn can_wait_for_disk(&self) -> bool {
        let version = self.redis_version();
        !self.is_valkey() && (version == (7, 2) || version >= (8, 0))
    }

    /// Of a Valkey, the version that it passes for.
    fn redis_version(&self) -> (u32, u32) {
        let version = self.info("redis_version").unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

fn read(node: &Node, answers: Vec<Answer>) -> Outcome<Facts> {
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
    let info = next().map_err(|error| replies::failure(&error))?;
    let info = text(&info).ok_or_else(|| Failure::again("INFO makes no sense"))?;
    let info = info.lines().filter_map(|line| line.split_once(':'));
    let info = info.map(|(name, value)| (name.to_owned(), value.trim_end().to_owned()));
    Ok(Facts {
        server: node.address().to_string(),
        info: info.collect(),
        time: next().ok().and_then(|answer| time(&answer)),
        settings: next().ok().and_then(|answer| pairs(&answer)),
    })
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut pairs = pairs.iter();
    pairs.find_map(|(found, value)| (found == name).then_some(value.as_str()))
}

/// Seconds and microseconds.
fn time(answer: &Value) -> Option<i64> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [seconds, micros] = parts.as_slice() else {
        return None;
    };
    let number = |value| text(value)?.parse::<i64>().ok();
    number(seconds)?
        .checked_mul(1_000_000)?
        .checked_add(number(micros)?)
}

/// Names and values in turn.
fn pairs(answer: &Value) -> Option<Vec<(String, String)>> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let pair = |pair: &[Value]| Some((text(&pair[0])?, text(&pair[1])?));
    parts.chunks_exact(2).map(pair).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a server of this version says that has these settings, where the account may ask.
    pub(in super::super) fn facts(
        version: &[(&str, &str)],
        settings: Option<&[(&str, &str)]>,
    ) -> Facts {
        let owned = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            pairs.collect()
        };
        Facts {
            server: "db:6379".to_owned(),
            info: owned(version),
            settings: settings.map(owned),
            time: None,
        }
    }

    #[test]
    fn only_servers_that_answer_after_they_wrote_are_waited_for() {
        for (version, can_wait) in [
            ("7.0.15", false),
            ("7.2.0", true),
            ("7.2.11", true),
            ("7.4.2", false),
            ("7.9.240", false),
            ("8.0.0", true),
            ("8.2.1", true),
            ("?", false),
        ] {
            let redis = facts(&[("redis_version", version)], None);
            assert_eq!(redis.can_wait_for_disk(), can_wait, "{version}");
            let valkey = facts(
                &[("redis_version", version), ("valkey_version", "8.0.1")],
                None,
            );
            assert!(!valkey.can_wait_for_disk(), "{version}");
            assert!(valkey.is_at_least(7, 2));
        }
    }
}
