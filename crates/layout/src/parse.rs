//! Reading and writing bytes without a panic.

use std::fmt::Write as _;

use tokenkeep_core::{Error, Result, Text, Timestamp, TokenId};

/// What is left to read of the value under a key.
pub(crate) struct Input<'a> {
    key: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) const fn new(key: &'a [u8], value: &'a [u8]) -> Self {
        Self { key, rest: value }
    }

    pub(crate) fn take<const LEN: usize>(&mut self) -> Result<[u8; LEN]> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<LEN>()
            .ok_or_else(|| corrupt(self.key, "is cut short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.take::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    pub(crate) fn id(&mut self) -> Result<TokenId> {
        Ok(TokenId::from_bytes(self.take()?))
    }

    pub(crate) fn instant(&mut self) -> Result<Timestamp> {
        let micros = i64::from_be_bytes(self.take()?);
        Timestamp::from_micros("instant", micros)
            .map_err(|_| corrupt(self.key, "holds an instant out of range"))
    }

    /// A length and so many bytes of text.
    pub(crate) fn text(&mut self) -> Result<Text> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| corrupt(self.key, "is cut short"))?;
        self.rest = rest;
        let text = std::str::from_utf8(text).ok();
        text.and_then(|text| Text::new("text", text).ok())
            .ok_or_else(|| corrupt(self.key, "holds a text that is not legal"))
    }

    /// As [`text`](Self::text); the length zero says that there is none.
    pub(crate) fn optional_text(&mut self) -> Result<Option<Text>> {
        if self.rest.first() == Some(&0) {
            self.byte()?;
            return Ok(None);
        }
        self.text().map(Some)
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(corrupt(self.key, "is longer than it should be"))
        }
    }

    pub(crate) fn wrong(&self, problem: &'static str) -> Error {
        corrupt(self.key, problem)
    }
}

/// Appends a length and the text; no text is longer than the 255 bytes that one byte counts.
pub(crate) fn push_text(out: &mut Vec<u8>, text: Option<&Text>) {
    let text = text.map_or("", Text::as_str);
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn push_instant(out: &mut Vec<u8>, at: Timestamp) {
    out.extend_from_slice(&at.as_micros().to_be_bytes());
}

/// The checksum of a value that belongs under a key.
pub(crate) fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

/// Appends the checksum of all that was written so far.
pub(crate) fn seal(key: &[u8], out: &mut Vec<u8>) {
    let sum = checksum(key, out);
    out.extend_from_slice(&sum.to_be_bytes());
}

/// Takes off and tests the checksum that [`seal`] appended.
pub(crate) fn unseal<'a>(key: &'a [u8], value: &'a [u8]) -> Result<Input<'a>> {
    let (value, sum) = value
        .split_last_chunk::<4>()
        .ok_or_else(|| corrupt(key, "is cut short"))?;
    if checksum(key, value) != u32::from_be_bytes(*sum) {
        return Err(corrupt(key, "fails its checksum"));
    }
    Ok(Input::new(key, value))
}

/// `Corrupt`, naming the key in hexadecimal digits.
pub(crate) fn corrupt(key: &[u8], problem: &'static str) -> Error {
    let mut place = String::from("entry ");
    for byte in key {
        // Writing to a string cannot fail.
        let _ = write!(place, "{byte:02x}");
    }
    Error::corrupt(place, problem)
}
