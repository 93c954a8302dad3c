//! Ids for test tokens: the same in every run, and spread like real digests.

use tokenkeep_core::TokenId;

/// Turns bytes into an id that does not show them. Good enough for tests, and no cryptography.
pub(crate) fn digest(bytes: &[u8]) -> TokenId {
    let mut state = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut id = [0; TokenId::LEN];
    for chunk in id.chunks_exact_mut(8) {
        chunk.copy_from_slice(&split_mix(&mut state).to_be_bytes());
    }
    TokenId::from_bytes(id)
}

/// The SplitMix64 generator: each step spreads a change of one bit over the whole word.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_repeat() {
        let ids: HashSet<_> = (0..10_000u32)
            .map(|number| digest(&number.to_be_bytes()))
            .collect();
        assert_eq!(ids.len(), 10_000);
        assert_eq!(digest(b"a"), digest(b"a"));
    }
}
