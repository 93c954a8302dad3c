//! What a store says about itself.

use tokenkeep_core::{Error, ErrorKind, Result, StoreId};

use crate::Key;
use crate::parse::{seal, unseal};

/// The version of this layout.
pub const FORMAT: u8 = 1;

/// What a store is: written once, when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreHeader {
    /// The store's number, by which it knows its own cursors.
    pub store_id: StoreId,
}

impl StoreHeader {
    /// The value under [`Key::Store`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        out.extend_from_slice(&self.store_id.to_u64().to_be_bytes());
        seal(&Key::Store.encode(), &mut out);
        out
    }

    /// Reads the value under [`Key::Store`].
    ///
    /// # Errors
    ///
    /// `Config` if a newer version of the layout wrote it, `Corrupt` if it makes no sense.
    pub fn decode(value: &[u8]) -> Result<Self> {
        let key = Key::Store.encode();
        // The version is judged before the checksum, which a newer layout may place elsewhere.
        if let Some(version) = value.first().filter(|version| **version > FORMAT) {
            let message = format!(
                "the store has layout version {version}; this program knows up to {FORMAT}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut input = unseal(&key, value)?;
        if input.byte()? != FORMAT {
            return Err(input.wrong("names a layout version that never was"));
        }
        let store_id = StoreId::from_u64(input.u64()?);
        input.end()?;
        Ok(Self { store_id })
    }
}

/// How often the sequence of revocations was begun anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u32);

impl Generation {
    /// The greatest: what the upper bits of a sequence number hold.
    const MAX: u32 = (1 << 24) - 1;

    /// The generation as a number; 0 if no revocation was ever numbered.
    #[must_use]
    pub const fn to_u32(self) -> u32 {
        self.0
    }

    /// The one after it: to be stored durably before a number of it is given out.
    ///
    /// # Errors
    ///
    /// `Internal` after 16 million.
    pub fn next(self) -> Result<Self> {
        if self.0 < Self::MAX {
            return Ok(Self(self.0 + 1));
        }
        Err(Error::new(
            ErrorKind::Internal,
            "the generations of revocations are used up",
        ))
    }

    /// The value under [`Key::Generation`].
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut out = self.0.to_be_bytes().to_vec();
        seal(&Key::Generation.encode(), &mut out);
        out
    }

    /// Reads the value under [`Key::Generation`].
    ///
    /// # Errors
    ///
    /// `Corrupt` if it makes no sense.
    pub fn decode(value: &[u8]) -> Result<Self> {
        let key = Key::Generation.encode();
        let mut input = unseal(&key, value)?;
        let generation = input.u32()?;
        input.end()?;
        if generation > Self::MAX {
            return Err(input.wrong("names a generation out of range"));
        }
        Ok(Self(generation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: StoreHeader = StoreHeader {
        store_id: StoreId::from_u64(0x0102_0304_0506_0708),
    };

    #[test]
    fn both_come_back() {
        assert_eq!(StoreHeader::decode(&HEADER.encode()).unwrap(), HEADER);
        let generation = Generation(Generation::MAX);
        assert_eq!(
            Generation::decode(&generation.encode()).unwrap(),
            generation
        );
        assert!(generation.next().is_err());
    }

    #[test]
    fn a_newer_layout_is_named_and_refused() {
        let mut value = HEADER.encode();
        value[0] = FORMAT + 1;
        value.push(0);
        let error = StoreHeader::decode(&value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("layout version 2"), "{error}");
    }

    #[test]
    fn cut_and_changed_values_are_corrupt() {
        let header = HEADER.encode();
        for cut in 0..header.len() {
            let error = StoreHeader::decode(&header[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {cut}");
        }
        for place in 1..header.len() {
            let mut changed = header.clone();
            changed[place] ^= 0x80;
            let error = StoreHeader::decode(&changed).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "changed at {place}");
        }
        let generation = Generation(3).encode();
        for cut in 0..generation.len() {
            assert!(Generation::decode(&generation[..cut]).is_err());
        }
        assert!(Generation::decode(&Generation(Generation::MAX + 1).encode()).is_err());
    }
}
