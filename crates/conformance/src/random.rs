//! Random numbers that are the same in every run, unless the environment says otherwise.

use std::env;

use crate::check::{Check, Failure};
use crate::digest::split_mix;

/// Another seed than the usual one: a number. A failed random case prints the one to repeat it with.
const SEED_VARIABLE: &str = "TOKENKEEP_CONFORMANCE_SEED";

/// How many rounds each random case plays instead of its usual number.
const ROUNDS_VARIABLE: &str = "TOKENKEEP_CONFORMANCE_ROUNDS";

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

/// A row of random numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to one less than the bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The bias is far too small for a test to notice.
        (split_mix(&mut self.0) % bound as u64) as usize
    }

    /// A row of its own, for one of several tasks.
    pub(crate) fn fork(&mut self) -> Self {
        Self(split_mix(&mut self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_row_and_another_seed_another() {
        let row = |seed| {
            let mut random = Random::new(seed);
            [(); 20].map(|()| random.below(100))
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        assert!(row(1).iter().all(|number| *number < 100));
    }
}
