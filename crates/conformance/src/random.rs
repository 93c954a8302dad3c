//! Random numbers that are the same in every run.

use crate::digest::split_mix;

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
