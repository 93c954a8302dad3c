//! The order of revocation: the feed's entries and their numbers.

use tokenkeep_core::{Error, ErrorKind, Result, RevokedToken, Timestamp, TokenId, TokenRecord};

use crate::Generation;
use crate::key::revocation_key;
use crate::parse::{push_instant, push_text, seal, unseal};

/// The number of a revocation: later revocations have greater ones, whatever was flushed, lost in
/// a crash, or restarted in between.
///
/// # Behavior
///
/// A number is a generation and a count. The generation grows before the first revocation of each
/// run, so a number that a crash took back is never given to another revocation, and a follower's
/// cursor stays true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(u64);

impl Sequence {
    /// Bits of the count.
    const COUNT_BITS: u32 = 40;

    /// Before every revocation.
    pub const NONE: Self = Self(0);

    /// The number with this value.
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }

    /// The number's value, which stands in keys and cursors.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Before the first revocation of a generation.
    #[must_use]
    pub const fn before(generation: Generation) -> Self {
        Self((generation.to_u32() as u64) << Self::COUNT_BITS)
    }

    /// The number after this one.
    ///
    /// # Errors
    ///
    /// `Internal` after a million million revocations of one run.
    pub fn next(self) -> Result<Self> {
        let next = self.0 + 1;
        if next.trailing_zeros() >= Self::COUNT_BITS {
            return Err(Error::new(
                ErrorKind::Internal,
                "the numbers of revocations are used up: open the store anew",
            ));
        }
        Ok(Self(next))
    }
}

/// One entry of the order of revocation: all that the feed shows, so that it loads no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationEntry(RevokedToken);

impl RevocationEntry {
    pub(crate) fn new(record: &TokenRecord, revoked_at: Timestamp) -> Self {
        Self(RevokedToken {
            id: record.id,
            audit_id: record.audit_id.clone(),
            user_id: record.user_id.clone(),
            revoked_at,
            expires_at: record.expires_at,
        })
    }

    pub(crate) fn encode(&self, sequence: Sequence) -> Vec<u8> {
        let RevokedToken {
            id,
            audit_id,
            user_id,
            revoked_at,
            expires_at,
        } = &self.0;
        let texts = 2 + audit_id.len() + user_id.len();
        let mut out = Vec::with_capacity(8 + 8 + TokenId::LEN + texts + 4);
        push_instant(&mut out, *expires_at);
        push_instant(&mut out, *revoked_at);
        out.extend_from_slice(id.as_bytes());
        push_text(&mut out, Some(audit_id));
        push_text(&mut out, Some(user_id));
        seal(&revocation_key(sequence), &mut out);
        out
    }

    /// Reads the value under a number.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the key.
    pub fn decode(sequence: Sequence, value: &[u8]) -> Result<RevokedToken> {
        let key = revocation_key(sequence);
        let mut input = unseal(&key, value)?;
        let expires_at = input.instant()?;
        let revoked_at = input.instant()?;
        let revoked = RevokedToken {
            id: input.id()?,
            audit_id: input.text()?,
            user_id: input.text()?,
            revoked_at,
            expires_at,
        };
        input.end()?;
        Ok(revoked)
    }
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::ErrorKind;

    use super::*;
    use crate::samples::{at, full, plain};

    #[test]
    fn an_entry_comes_back() {
        for record in [plain(), full()] {
            let entry = RevocationEntry::new(&record, at(50));
            let number = Sequence::from_u64(7);
            let value = entry.encode(number);
            assert_eq!(RevocationEntry::decode(number, &value).unwrap(), entry.0);
        }
    }

    #[test]
    fn a_cut_changed_or_misplaced_entry_is_corrupt() {
        let number = Sequence::from_u64(7);
        let value = RevocationEntry::new(&full(), at(50)).encode(number);
        let kind =
            |number, value: &[u8]| RevocationEntry::decode(number, value).unwrap_err().kind();
        for cut in 0..value.len() {
            assert_eq!(
                kind(number, &value[..cut]),
                ErrorKind::Corrupt,
                "cut at {cut}"
            );
        }
        for place in 0..value.len() {
            let mut value = value.clone();
            value[place] ^= 1;
            assert_eq!(
                kind(number, &value),
                ErrorKind::Corrupt,
                "changed at {place}"
            );
        }
        assert_eq!(kind(Sequence::from_u64(8), &value), ErrorKind::Corrupt);
    }

    #[test]
    fn a_later_generation_counts_higher() {
        let first = Sequence::before(Generation::default().next().unwrap());
        let second = Sequence::before(Generation::default().next().unwrap().next().unwrap());
        assert!(Sequence::NONE < first);
        assert!(first < first.next().unwrap());
        assert!(first.next().unwrap() < second);
    }

    #[test]
    fn a_count_never_runs_into_the_next_generation() {
        let last = Sequence::from_u64((2 << 40) - 1);
        assert_eq!(last.next().unwrap_err().kind(), ErrorKind::Internal);
    }
}
