//! Which part of a store a token lies in.
//!
//! This is part of the layout: it must never change for a store that exists.

use crc16::{State, XMODEM};
use tokenkeep_core::TokenId;

/// How many hash slots every Cluster has.
const SLOTS: u32 = 16_384;

/// The shards of a store: of each, the text that puts all its keys into one hash slot, and that slot.
#[derive(Clone, Debug)]
pub(crate) struct Shards(Box<[Shard]>);

/// One shard.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    /// What its keys have between braces.
    pub(crate) tag: u32,
    /// Where all of them lie.
    pub(crate) slot: u16,
}

impl Shards {
    /// The most shards of a store: a cursor of the feed holds a place in each.
    pub(crate) const MAX: u32 = 64;

    /// Cuts a store into so many shards, at least 1, whose slots lie as evenly as a Cluster is usually cut.
    pub(crate) fn new(count: u32) -> Self {
        Self((0..count.max(1)).map(|at| find(at, count.max(1))).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The shard that a token lies in. Ids are digests, so each shard gets as many.
    pub(crate) fn of(&self, id: &TokenId) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = *id.as_bytes();
        let part = u128::from(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let shard = (part * self.0.len() as u128) >> 64;
        usize::try_from(shard).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.0.iter()
    }
}

/// The first number whose slot lies in this part of all slots.
fn find(at: u32, count: u32) -> Shard {
    let wanted = at * SLOTS / count..(at + 1) * SLOTS / count;
    let numbered = |tag: u32| (tag, slot_of(tag.to_string().as_bytes()));
    let found = (0..)
        .map(numbered)
        .find(|(_, slot)| wanted.contains(&u32::from(*slot)));
    let (tag, slot) = found.unwrap_or_default();
    Shard { tag, slot }
}

/// The hash slot of a key: of what stands between its first braces, if anything does.
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    let find = |text: &[u8], brace| text.iter().position(|byte| *byte == brace);
    let hashed = find(key, b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = find(rest, b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    State::<XMODEM>::calculate(hashed.unwrap_or(key)) % SLOTS as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: [u8; 8]) -> TokenId {
        let mut id = [0x5a; 32];
        id[..8].copy_from_slice(&bytes);
        TokenId::from_bytes(id)
    }

    #[test]
    fn the_slots_of_all_shards_differ_and_lie_evenly() {
        for count in [1, 2, 3, 16, 61, Shards::MAX] {
            let shards = Shards::new(count);
            let parts = shards
                .iter()
                .map(|shard| u32::from(shard.slot) * count / SLOTS);
            let expected: Vec<_> = (0..count).collect();
            // Rounded cuts may put a slot one part lower.
            let near = parts
                .zip(&expected)
                .all(|(part, at)| part == *at || part + 1 == *at);
            assert!(near, "{count}");
            assert_eq!(shards.len(), count as usize);
        }
    }

    #[test]
    fn tags_and_slots_stay_as_they_are() {
        let shards = Shards::new(64);
        let found: Vec<_> = shards.iter().map(|shard| (shard.tag, shard.slot)).collect();
        assert_eq!(found[..4], PINNED);
        assert_eq!(slot_of(b"foo{123}bar"), slot_of(b"123"));
        assert_eq!(slot_of(b"123456789"), 0x31c3);
    }

    const PINNED: [(u32, u16); 4] = [(10, 247), (18, 511), (113, 513), (342, 949)];

    #[test]
    fn ids_fall_into_shards_in_order() {
        let shards = Shards::new(64);
        assert_eq!(shards.of(&first([0; 8])), 0);
        assert_eq!(
            shards.of(&first([0x03, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
            0
        );
        assert_eq!(shards.of(&first([0x04, 0, 0, 0, 0, 0, 0, 0])), 1);
        assert_eq!(shards.of(&first([0xff; 8])), 63);
        assert_eq!(Shards::new(1).of(&first([0xff; 8])), 0);
    }
}
