//! What the environment sets for a run.

use std::env;
use std::time::Duration;

use crate::check::{Check, Failure};

/// Another seed than the usual one: a number. A failed random case prints the one to repeat it with.
const SEED_VARIABLE: &str = "TOKENKEEP_CONFORMANCE_SEED";

/// How many rounds each random case plays instead of its usual number.
const ROUNDS_VARIABLE: &str = "TOKENKEEP_CONFORMANCE_ROUNDS";

/// After how many seconds a case counts as hung.
const CASE_TIMEOUT_VARIABLE: &str = "TOKENKEEP_CONFORMANCE_CASE_TIMEOUT";

/// The seed of the random cases.
pub(crate) fn seed() -> Check<u64> {
    number(SEED_VARIABLE).map(|seed| seed.unwrap_or(1))
}

/// How many rounds a random case plays.
pub(crate) fn rounds(usually: u32) -> Check<u32> {
    let Some(rounds) = number(ROUNDS_VARIABLE)? else {
        return Ok(usually);
    };
    match u32::try_from(rounds) {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => Err(Failure::new(format!("{ROUNDS_VARIABLE} is out of range"))),
    }
}

/// How long a case may take, if the environment says so.
pub(crate) fn case_timeout() -> Check<Option<Duration>> {
    match number(CASE_TIMEOUT_VARIABLE)? {
        Some(0) => Err(Failure::new(format!("{CASE_TIMEOUT_VARIABLE} is zero"))),
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

fn number(variable: &str) -> Check<Option<u64>> {
    let Some(text) = env::var_os(variable) else {
        return Ok(None);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::new(format!("{variable} is no number: {text:?}"))),
    }
}
