//! Spans of time in configuration: text such as `5s` or `1h 30m`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

use crate::{Result, config_error};

/// Reads a span of time as the configuration has it, such as `5s`, `500ms` or `1h 30m`.
///
/// # Errors
///
/// `Config` for any other text, and for one of more than 100 bytes or with a number of more than
/// ten digits.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let fault = || {
        config_error(format!(
            "`{text}` is not a duration such as 5s, 500ms or 1h 30m"
        ))
    };
    // What is within both limits cannot sum to more than a duration holds, where humantime panics.
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit());
    if text.len() > 100 || numbers.any(|number| number.len() > 10) {
        return Err(fault());
    }
    humantime::parse_duration(text).map_err(|_| fault())
}

pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*span))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map_err(|error| serde::de::Error::custom(error.message()))
}

/// The same for a span that may be absent.
pub(crate) mod optional {
    use super::{Deserializer, Duration, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::serialize(span, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}
