//! Keys, and the ranges that a scan walks.

use std::ops::Bound;

use tokenkeep_core::{Anchor, Result, Text, Timestamp, TokenId};

use crate::Sequence;
use crate::parse::{Input, corrupt, push_instant, push_text};

/// What an entry is about, as its key says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A token's record.
    Record(TokenId),
    /// An active token under one of its anchors.
    Index(Anchor, Text, TokenId),
    /// A token in the order of expiry.
    Expiry(Timestamp, TokenId),
    /// A revoked token in the order of revocation.
    Revocation(Sequence),
    /// What the store is.
    Store,
    /// How often the sequence of revocations was begun anew.
    Generation,
}

impl Key {
    /// The key's bytes, which order as the README says.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Record(id) => record_key(id).to_vec(),
            Self::Index(anchor, value, id) => {
                let mut key = index_prefix(*anchor, value);
                key.extend_from_slice(id.as_bytes());
                key
            }
            Self::Expiry(at, id) => {
                let mut key = Vec::with_capacity(1 + 8 + TokenId::LEN);
                key.push(b'e');
                push_instant(&mut key, *at);
                key.extend_from_slice(id.as_bytes());
                key
            }
            Self::Revocation(sequence) => revocation_key(*sequence),
            Self::Store => b"ms".to_vec(),
            Self::Generation => b"mg".to_vec(),
        }
    }

    /// The bytes of [`Key::Record`] without an allocation: what every lookup needs.
    #[must_use]
    pub fn record(id: &TokenId) -> [u8; 1 + TokenId::LEN] {
        record_key(id)
    }

    /// Reads a key.
    ///
    /// # Errors
    ///
    /// `Corrupt` for bytes that [`encode`](Self::encode) never gives.
    pub fn parse(key: &[u8]) -> Result<Self> {
        let mut input = Input::new(key, key);
        let parsed = match input.byte()? {
            b't' => Self::Record(input.id()?),
            b'e' => Self::Expiry(input.instant()?, input.id()?),
            b'x' => Self::Revocation(Sequence::from_u64(input.u64()?)),
            b'm' => match input.byte()? {
                b's' => Self::Store,
                b'g' => Self::Generation,
                _ => return Err(corrupt(key, "is a key of no known kind")),
            },
            letter => {
                let anchor = Anchor::ALL
                    .into_iter()
                    .find(|anchor| anchor_letter(*anchor) == letter)
                    .ok_or_else(|| corrupt(key, "is a key of no known kind"))?;
                Self::Index(anchor, input.text()?, input.id()?)
            }
        };
        input.end()?;
        Ok(parsed)
    }
}

/// The bounds of a scan, as every ordered map takes them.
pub type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The active tokens under one value of an anchor, in the order of their ids, after the given one.
#[must_use]
pub fn indexed(anchor: Anchor, value: &Text, after: Option<&TokenId>) -> KeyRange {
    let prefix = index_prefix(anchor, value);
    let mut end = prefix.clone();
    end.extend_from_slice(&[0xff; TokenId::LEN]);
    let start = match after {
        Some(id) => {
            let mut start = prefix;
            start.extend_from_slice(id.as_bytes());
            Bound::Excluded(start)
        }
        None => Bound::Included(prefix),
    };
    (start, Bound::Included(end))
}

/// The tokens that have expired by an instant, that instant included (R1), in order of expiry.
#[must_use]
pub fn expired(now: Timestamp) -> KeyRange {
    let last = Key::Expiry(now, TokenId::from_bytes([0xff; TokenId::LEN]));
    (
        Bound::Included(b"e".to_vec()),
        Bound::Included(last.encode()),
    )
}

/// The revoked tokens in the order of revocation, after one sequence number up to another.
#[must_use]
pub fn revoked(after: Sequence, last: Sequence) -> KeyRange {
    // An ordered map may panic where a range ends before it begins.
    let last = last.max(after);
    (
        Bound::Excluded(revocation_key(after)),
        Bound::Included(revocation_key(last)),
    )
}

pub(crate) fn record_key(id: &TokenId) -> [u8; 1 + TokenId::LEN] {
    let mut key = [b't'; 1 + TokenId::LEN];
    key[1..].copy_from_slice(id.as_bytes());
    key
}

pub(crate) fn revocation_key(sequence: Sequence) -> Vec<u8> {
    let mut key = vec![b'x'];
    key.extend_from_slice(&sequence.to_u64().to_be_bytes());
    key
}

fn index_prefix(anchor: Anchor, value: &Text) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + value.len() + TokenId::LEN);
    key.push(anchor_letter(anchor));
    push_text(&mut key, Some(value));
    key
}

const fn anchor_letter(anchor: Anchor) -> u8 {
    match anchor {
        Anchor::Trust => b'r',
        Anchor::User => b'u',
        Anchor::Consumer => b'c',
        Anchor::Tenant => b'p',
        Anchor::Domain => b'd',
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeBounds;

    use super::*;
    use crate::samples::{at, id, odd_texts, text};

    fn all_kinds() -> Vec<Key> {
        let mut keys = vec![
            Key::Record(id(1)),
            Key::Expiry(at(77), id(2)),
            Key::Revocation(Sequence::from_u64(u64::MAX)),
            Key::Store,
            Key::Generation,
        ];
        for value in odd_texts() {
            for anchor in Anchor::ALL {
                keys.push(Key::Index(anchor, value.clone(), id(0xff)));
            }
        }
        keys
    }

    #[test]
    fn each_key_comes_back_and_no_part_of_one_is_a_key() {
        for key in all_kinds() {
            let bytes = key.encode();
            assert_eq!(Key::parse(&bytes).unwrap(), key);
            for cut in 0..bytes.len() {
                assert!(Key::parse(&bytes[..cut]).is_err(), "{key:?} cut at {cut}");
            }
            let longer = [bytes.as_slice(), b"!"].concat();
            assert!(Key::parse(&longer).is_err(), "{key:?} and a byte more");
        }
    }

    #[test]
    fn an_error_names_the_key_in_digits() {
        let error = Key::parse(b"t\xab").unwrap_err();
        assert_eq!(error.message(), "entry 74ab: is cut short");
    }

    #[test]
    fn expiry_and_revocation_order_as_numbers_do() {
        let expiry = |micros| Key::Expiry(at(micros), id(9)).encode();
        assert!(expiry(255) < expiry(256));
        assert!(expiry(1) < expiry(1 << 40));
        let revocation = |number| Key::Revocation(Sequence::from_u64(number)).encode();
        assert!(revocation(255) < revocation(256));
    }

    #[test]
    fn the_expired_are_those_at_now_and_before() {
        let range = expired(at(10));
        let holds = |micros, last| range.contains(&Key::Expiry(at(micros), id(last)).encode());
        assert!(holds(0, 0) && holds(10, 0) && holds(10, 0xff));
        assert!(!holds(11, 0));
        assert!(!range.contains(&Key::Store.encode()));
    }

    #[test]
    fn a_scan_sees_one_value_of_one_anchor_alone() {
        for wanted in odd_texts() {
            let range = indexed(Anchor::User, &wanted, None);
            for other in odd_texts() {
                for anchor in Anchor::ALL {
                    for last in [0, 0xff] {
                        let key = Key::Index(anchor, other.clone(), id(last)).encode();
                        let same = anchor == Anchor::User && other == wanted;
                        assert_eq!(range.contains(&key), same, "{wanted} {anchor:?} {other}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_scan_resumes_after_an_id() {
        let range = indexed(Anchor::User, &text("ada"), Some(&id(5)));
        let holds =
            |last| range.contains(&Key::Index(Anchor::User, text("ada"), id(last)).encode());
        assert!(!holds(4) && !holds(5));
        assert!(holds(6) && holds(0xff));
    }

    #[test]
    fn a_feed_goes_from_one_number_to_another() {
        let number = Sequence::from_u64;
        let range = revoked(number(5), number(7));
        let holds = |n| range.contains(&Key::Revocation(number(n)).encode());
        assert!(!holds(5) && holds(6) && holds(7) && !holds(8));
        let (start, end) = revoked(number(7), number(5));
        assert_eq!(start, Bound::Excluded(revocation_key(number(7))));
        assert_eq!(end, Bound::Included(revocation_key(number(7))));
    }
}
