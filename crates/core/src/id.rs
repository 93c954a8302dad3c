//! Token ids: all that a driver ever sees of a token.

use std::fmt;
use std::str::FromStr;

use crate::hex;
use crate::{Error, Result};

/// 32 bytes: a keyed digest of a token's secret (contract, section 1).
///
/// Knowing an id does not let anyone authenticate, so it may stand in logs and errors. Shown and
/// read as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId([u8; Self::LEN]);

impl TokenId {
    /// An id's length in bytes.
    pub const LEN: usize = 32;

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The id's bytes, in the order in which ids compare.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl TryFrom<&[u8]> for TokenId {
    type Error = Error;

    /// `InvalidInput` unless there are exactly 32 bytes.
    fn try_from(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes
            .try_into()
            .map_err(|_| Error::invalid_input("token id", "is not 32 bytes long"))?;
        Ok(Self(bytes))
    }
}

impl FromStr for TokenId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        hex::decode(text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| Error::invalid_input("token id", "is not 64 hexadecimal digits"))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = TokenId::from_bytes([0xab; 32]);
        assert_eq!(id.to_string().parse::<TokenId>().unwrap(), id);
    }

    #[test]
    fn other_lengths_and_letters_are_refused() {
        assert!("ab".parse::<TokenId>().is_err());
        assert!("zz".repeat(32).parse::<TokenId>().is_err());
        assert!(TokenId::try_from(&[0u8; 31][..]).is_err());
    }
}
