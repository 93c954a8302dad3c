//! Several shards' feeds made one.

use super::feed::{Seen, Stretch};

/// Merges what was seen of each shard's feed after these places: in order of the places, none beyond
/// `highest`, none beyond what was seen of a shard whose feed goes on, and at most `limit`.
pub(super) fn merge(stretches: Vec<Stretch>, after: &[u64], highest: u64, limit: usize) -> Seen {
    let goes_on = stretches.iter().filter(|stretch| stretch.goes_on);
    let bound = goes_on.map(|stretch| stretch.last).fold(highest, u64::min);
    let mut more = false;
    let mut places = after.to_vec();
    let mut entries = Vec::new();
    for (shard, stretch) in stretches.into_iter().enumerate() {
        more |= stretch.goes_on || stretch.last > bound;
        // What was looked at and not found has expired, so it can be left behind too.
        if stretch.last <= bound {
            places[shard] = stretch.last;
        }
        let in_bound = stretch
            .found
            .into_iter()
            .filter(|entry| entry.place <= bound);
        entries.extend(in_bound.map(|entry| (entry.place, shard, entry.token)));
    }
    entries.sort_by_key(|(place, shard, _)| (*place, *shard));
    let left = entries.split_off(entries.len().min(limit));
    for (place, shard, _) in &entries {
        places[*shard] = places[*shard].max(*place);
    }
    // From the last to the first, so that each shard ends before its first entry that is left.
    for (place, shard, _) in left.iter().rev() {
        places[*shard] = place - 1;
        more = true;
    }
    Seen {
        tokens: entries.into_iter().map(|(.., token)| token).collect(),
        places,
        more,
    }
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::{RevokedToken, Text, Timestamp, TokenId};

    use super::*;
    use crate::driver::feed::Entry;

    fn entry(place: u64) -> Entry {
        let text = || Text::new("t", place.to_string()).unwrap();
        let token = RevokedToken {
            id: TokenId::from_bytes([0; 32]),
            audit_id: text(),
            user_id: text(),
            revoked_at: Timestamp::MIN,
            expires_at: Timestamp::MAX,
        };
        Entry { place, token }
    }

    fn stretch(places: &[u64], last: u64, goes_on: bool) -> Stretch {
        let found = places.iter().copied().map(entry).collect();
        Stretch {
            goes_on,
            last,
            found,
        }
    }

    fn shown(seen: &Seen) -> Vec<u64> {
        let places = seen.tokens.iter().map(|token| token.user_id.parse());
        places.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn entries_come_in_order_of_their_places() {
        let stretches = vec![stretch(&[1, 4], 4, false), stretch(&[2, 3], 3, false)];
        let seen = merge(stretches, &[0, 0], 9, 10);
        assert_eq!(shown(&seen), [1, 2, 3, 4]);
        assert_eq!((seen.places, seen.more), (vec![4, 3], false));
    }

    #[test]
    fn the_limit_leaves_each_shard_at_its_first_entry_that_is_left() {
        let stretches = vec![stretch(&[1, 4], 4, false), stretch(&[2, 3, 6], 7, false)];
        let seen = merge(stretches, &[0, 0], 9, 2);
        assert_eq!(shown(&seen), [1, 2]);
        assert_eq!((seen.places, seen.more), (vec![3, 2], true));
    }

    #[test]
    fn nothing_comes_before_what_was_not_seen_yet() {
        let stretches = vec![stretch(&[5], 5, true), stretch(&[4, 6], 6, false)];
        let seen = merge(stretches, &[0, 0], 9, 10);
        assert_eq!(shown(&seen), [4, 5]);
        assert_eq!((seen.places, seen.more), (vec![5, 4], true));
    }

    #[test]
    fn entries_beyond_the_highest_place_wait() {
        let stretches = vec![stretch(&[5, 8], 8, false), stretch(&[], 2, false)];
        let seen = merge(stretches, &[0, 2], 7, 10);
        assert_eq!(shown(&seen), [5]);
        assert_eq!((seen.places, seen.more), (vec![5, 2], true));
    }

    #[test]
    fn two_entries_at_one_place_are_told_apart_by_their_shards() {
        let stretches = vec![stretch(&[5], 5, false), stretch(&[5], 5, false)];
        let seen = merge(stretches, &[0, 0], 9, 1);
        assert_eq!(shown(&seen), [5]);
        assert_eq!((seen.places, seen.more), (vec![5, 4], true));
    }
}
