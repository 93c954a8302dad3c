//! Numbers that differ from run to run, and can be had again from the seed.

use std::hash::{BuildHasher as _, RandomState};

pub(crate) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    pub(crate) fn new() -> Self {
        Self::from_seed(RandomState::new().hash_one("kill"))
    }

    pub(crate) const fn from_seed(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// A number from 1 to `most`.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        1 + (mixed ^ (mixed >> 31)) % most
    }
}
