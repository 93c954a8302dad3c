//! Pages, and the cursors that lead from one to the next.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use crate::hex;
use crate::{Error, Result, TokenFilter};

/// How much to give back, and after what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    limit: u32,
    cursor: Option<Cursor>,
}

impl PageRequest {
    /// The longest page.
    pub const MAX_LIMIT: u32 = 10_000;

    /// The first page, of at most so many items.
    ///
    /// # Errors
    ///
    /// `InvalidInput` unless `limit` is 1 to [`MAX_LIMIT`](Self::MAX_LIMIT).
    pub fn new(limit: u32) -> Result<Self> {
        if (1..=Self::MAX_LIMIT).contains(&limit) {
            return Ok(Self {
                limit,
                cursor: None,
            });
        }
        Err(Error::invalid_input(
            "limit",
            format!("is {limit}, not 1 to {}", Self::MAX_LIMIT),
        ))
    }

    /// The page after the one that gave this cursor.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }

    /// How many items at most; never 0.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Where to resume; the beginning if absent.
    #[must_use]
    pub const fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }
}

impl Default for PageRequest {
    /// The first 1,000.
    fn default() -> Self {
        Self {
            limit: 1_000,
            cursor: None,
        }
    }
}

/// Some items, and how to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the method's order.
    pub items: Vec<T>,
    /// Resumes after the last item seen so far, now or at any later time. Absent as long as
    /// nothing was seen, which means the beginning.
    pub cursor: Option<Cursor>,
    /// Whether more items were waiting when the page was read.
    pub more: bool,
}

/// An opaque place in one listing of one store (R9, R10).
///
/// It holds for the store, the method and the filter that gave it, across restarts of the process.
/// It names no secret and may be shown to users.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// The longest text that is read as a cursor, in bytes.
    const MAX_LEN: usize = 1_024;

    /// The cursor as text: lower-case hexadecimal digits.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Cursor {
    type Err = Error;

    /// Takes any short text; whether it is a cursor of the store is for the store to say.
    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return Err(foreign_cursor());
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({})", self.0)
    }
}

/// Which store: a number that a store is given once, when it is first made, and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId(u64);

impl StoreId {
    /// A number that no other store is likely to have.
    #[must_use]
    pub fn generate() -> Self {
        // A RandomState is seeded by the system; uniqueness is wanted here, not secrecy.
        Self(RandomState::new().hash_one("tokenkeep store"))
    }

    /// The id as a driver keeps it.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The id that a driver kept.
    #[must_use]
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

/// Makes and reads the cursors of one listing: what drivers use to know their own.
///
/// A cursor is a position, which the driver chooses, and a check over store, listing and position;
/// a cursor of another store, another method or another filter fails the check. The check keeps
/// mistakes out; it is no signature.
#[derive(Clone, Copy, Debug)]
pub struct Cursors(u64);

impl Cursors {
    /// The cursors of `list` with this filter.
    #[must_use]
    pub fn of_list(store: StoreId, filter: &TokenFilter) -> Self {
        let TokenFilter {
            user_id,
            tenant_id,
            domain_id,
            trust_id,
            consumer_id,
            audit_id,
            audit_chain_id,
            issued_before,
        } = filter;
        let mut check = Fnv::new(store).add(b"list");
        for text in [
            user_id,
            tenant_id,
            domain_id,
            trust_id,
            consumer_id,
            audit_id,
            audit_chain_id,
        ] {
            // Length and presence are hashed too, so that no two filters read alike.
            check = match text {
                Some(text) => check.add(&[1, text.len() as u8]).add(text.as_bytes()),
                None => check.add(&[0]),
            };
        }
        let instant = issued_before.map_or(-1, crate::Timestamp::as_micros);
        Self(check.add(&instant.to_be_bytes()).0)
    }

    /// The cursors of `list_revoked`.
    #[must_use]
    pub fn of_list_revoked(store: StoreId) -> Self {
        Self(Fnv::new(store).add(b"list_revoked").0)
    }

    /// The cursor for a position.
    #[must_use]
    pub fn at(&self, position: &[u8]) -> Cursor {
        let mut text = String::with_capacity(2 * (position.len() + 8));
        // Writing to a string cannot fail.
        let _ = hex::write(&mut text, &self.check(position));
        let _ = hex::write(&mut text, position);
        Cursor(text.into())
    }

    /// The position in a cursor that [`at`](Self::at) made.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for any other.
    pub fn position<const LEN: usize>(&self, cursor: &Cursor) -> Result<[u8; LEN]> {
        let position = self.position_bytes(cursor)?;
        position.try_into().map_err(|_| foreign_cursor())
    }

    /// As [`position`](Self::position), where stores differ in how long a position is. The driver
    /// takes one of another length than its store's for a foreign one, too.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a cursor that [`at`](Self::at) did not make.
    pub fn position_bytes(&self, cursor: &Cursor) -> Result<Vec<u8>> {
        let mut bytes = hex::decode(&cursor.0).ok_or_else(foreign_cursor)?;
        if bytes.len() < 8 {
            return Err(foreign_cursor());
        }
        let position = bytes.split_off(8);
        match bytes == self.check(&position) {
            true => Ok(position),
            false => Err(foreign_cursor()),
        }
    }

    fn check(self, position: &[u8]) -> [u8; 8] {
        Fnv(self.0).add(position).0.to_be_bytes()
    }
}

fn foreign_cursor() -> Error {
    Error::invalid_input("cursor", "was not given by this listing of this store")
}

/// FNV-1a: the same in every build, as a cursor that outlives the process needs.
struct Fnv(u64);

impl Fnv {
    fn new(store: StoreId) -> Self {
        Self(0xcbf2_9ce4_8422_2325).add(&store.0.to_be_bytes())
    }

    fn add(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(self.0, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back() {
        let cursors = Cursors::of_list_revoked(StoreId::from_u64(7));
        let cursor: Cursor = cursors.at(b"abcd").as_str().parse().unwrap();
        assert_eq!(&cursors.position::<4>(&cursor).unwrap(), b"abcd");
        assert!(cursors.position::<5>(&cursor).is_err());
    }

    #[test]
    fn a_position_of_any_length_comes_back() {
        let cursors = Cursors::of_list_revoked(StoreId::from_u64(7));
        let other = Cursors::of_list_revoked(StoreId::from_u64(8));
        for position in [&b""[..], b"a", &[7; 448]] {
            let cursor: Cursor = cursors.at(position).as_str().parse().unwrap();
            assert_eq!(cursors.position_bytes(&cursor).unwrap(), position);
            assert!(other.position_bytes(&cursor).is_err());
        }
        for bad in ["00", "zz", &"0".repeat(16)] {
            let refused = cursors.position_bytes(&bad.parse().unwrap());
            assert!(refused.is_err(), "{bad}");
        }
    }

    #[test]
    fn cursors_of_other_stores_listings_and_filters_are_refused() {
        let store = StoreId::from_u64(7);
        let user = TokenFilter::new().with_user("u").unwrap();
        let cursor = Cursors::of_list(store, &user).at(b"abcd");
        let others = [
            Cursors::of_list(StoreId::from_u64(8), &user),
            Cursors::of_list(store, &TokenFilter::new().with_tenant("u").unwrap()),
            Cursors::of_list(store, &user.clone().with_tenant("t").unwrap()),
            Cursors::of_list_revoked(store),
        ];
        for other in others {
            assert!(other.position::<4>(&cursor).is_err());
        }
    }

    #[test]
    fn changed_and_random_text_is_refused() {
        let cursors = Cursors::of_list_revoked(StoreId::from_u64(7));
        let mut text = cursors.at(b"abcd").as_str().to_owned();
        text.pop();
        for bad in [text.as_str(), "zz", "00", "Ünï", &"0".repeat(40)] {
            let refused = bad
                .parse::<Cursor>()
                .and_then(|bad| cursors.position::<4>(&bad));
            assert!(refused.is_err(), "{bad}");
        }
    }

    #[test]
    fn page_limits() {
        assert!(PageRequest::new(0).is_err());
        assert!(PageRequest::new(PageRequest::MAX_LIMIT).is_ok());
        assert!(PageRequest::new(PageRequest::MAX_LIMIT + 1).is_err());
    }

    #[test]
    fn stores_differ() {
        assert_ne!(StoreId::generate(), StoreId::generate());
    }
}
