//! A token's record as it is stored.

use bytes::Bytes;
use tokenkeep_core::{Result, Timestamp, TokenId, TokenRecord, TokenState};

use crate::Sequence;
use crate::key::record_key;
use crate::parse::{Input, checksum, push_instant, push_text};

/// The version of the encoding of a record.
const VERSION: u8 = 1;
const ACTIVE: u8 = 0;
const REVOKED: u8 = 1;
const ROTATED: u8 = 2;

/// What stands in front of a stored record: enough to judge the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    state: u8,
    expires_at: Timestamp,
    issued_at: Timestamp,
    version: u64,
    /// The checksum of what follows.
    body: u32,
}

impl Header {
    /// The header's length: the fields and their own checksum.
    const LEN: usize = 1 + 1 + 8 + 8 + 8 + 4 + 4;

    /// Reads the header in front of the value under a record's key.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the key.
    pub fn decode(id: &TokenId, value: &[u8]) -> Result<Self> {
        let key = record_key(id);
        let mut input = Input::new(&key, value);
        let bytes: [u8; Self::LEN] = input.take()?;
        let (fields, sum) = bytes.split_at(Self::LEN - 4);
        if checksum(&key, fields).to_be_bytes() != sum {
            return Err(input.wrong("fails the checksum of its header"));
        }
        let mut input = Input::new(&key, fields);
        if input.byte()? != VERSION {
            return Err(input.wrong("has an encoding of no known version"));
        }
        let state = input.byte()?;
        if state > ROTATED {
            return Err(input.wrong("has a state of no known kind"));
        }
        Ok(Self {
            state,
            expires_at: input.instant()?,
            issued_at: input.instant()?,
            version: input.u64()?,
            body: input.u32()?,
        })
    }

    /// Tells whether the token is neither revoked nor expired (R1).
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.state == ACTIVE && self.expires_at > now
    }

    fn encode(&self, id: &TokenId, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.push(self.state);
        push_instant(out, self.expires_at);
        push_instant(out, self.issued_at);
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&self.body.to_be_bytes());
        let sum = checksum(&record_key(id), out);
        out.extend_from_slice(&sum.to_be_bytes());
    }
}

/// A record and, once it is revoked, its place in the order of revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    record: TokenRecord,
    sequence: Sequence,
}

impl Stored {
    pub(crate) const fn active(record: TokenRecord) -> Self {
        Self {
            record,
            sequence: Sequence::NONE,
        }
    }

    /// The same token, revoked.
    pub(crate) fn revoked(&self, state: TokenState, sequence: Sequence) -> Self {
        let record = TokenRecord {
            state,
            ..self.record.clone()
        };
        Self { record, sequence }
    }

    /// The record.
    #[must_use]
    pub const fn record(&self) -> &TokenRecord {
        &self.record
    }

    /// The record, taken out.
    #[must_use]
    pub fn into_record(self) -> TokenRecord {
        self.record
    }

    /// The number of its revocation; [`Sequence::NONE`] as long as it is active.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Reads the value under a record's key.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the key.
    pub fn decode(id: &TokenId, value: &[u8]) -> Result<Self> {
        let header = Header::decode(id, value)?;
        Self::decode_body(id, &header, value)
    }

    /// Reads the rest of a value whose header was read before.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the key.
    pub fn decode_body(id: &TokenId, header: &Header, value: &[u8]) -> Result<Self> {
        let key = record_key(id);
        let mut input = Input::new(&key, value.get(Header::LEN..).unwrap_or_default());
        // The header's own checksum binds this one to the key.
        if crc32fast::hash(input.rest()) != header.body {
            return Err(input.wrong("fails its checksum"));
        }
        let (state, sequence) = decode_state(header.state, &mut input)?;
        let record = TokenRecord {
            id: *id,
            audit_id: input.text()?,
            audit_chain_id: input.text()?,
            user_id: input.text()?,
            tenant_id: input.optional_text()?,
            domain_id: input.optional_text()?,
            trust_id: input.optional_text()?,
            consumer_id: input.optional_text()?,
            issued_at: header.issued_at,
            expires_at: header.expires_at,
            data: Bytes::copy_from_slice(input.rest()),
            version: header.version,
            state,
        };
        Ok(Self { record, sequence })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let TokenRecord {
            id,
            audit_id,
            audit_chain_id,
            user_id,
            tenant_id,
            domain_id,
            trust_id,
            consumer_id,
            issued_at,
            expires_at,
            data,
            version,
            state,
        } = &self.record;
        let mut body = Vec::with_capacity(64 + 8 * 32 + data.len());
        let state = encode_state(*state, self.sequence, &mut body);
        for text in [audit_id, audit_chain_id, user_id] {
            push_text(&mut body, Some(text));
        }
        for text in [tenant_id, domain_id, trust_id, consumer_id] {
            push_text(&mut body, text.as_ref());
        }
        body.extend_from_slice(data);
        let header = Header {
            state,
            expires_at: *expires_at,
            issued_at: *issued_at,
            version: *version,
            body: crc32fast::hash(&body),
        };
        let mut out = Vec::with_capacity(Header::LEN + body.len());
        header.encode(id, &mut out);
        out.append(&mut body);
        out
    }
}

fn encode_state(state: TokenState, sequence: Sequence, out: &mut Vec<u8>) -> u8 {
    let TokenState::Revoked { at, successor } = state else {
        return ACTIVE;
    };
    push_instant(out, at);
    out.extend_from_slice(&sequence.to_u64().to_be_bytes());
    match successor {
        Some(successor) => {
            out.extend_from_slice(successor.as_bytes());
            ROTATED
        }
        None => REVOKED,
    }
}

fn decode_state(state: u8, input: &mut Input<'_>) -> Result<(TokenState, Sequence)> {
    if state == ACTIVE {
        return Ok((TokenState::Active, Sequence::NONE));
    }
    let at = input.instant()?;
    let sequence = Sequence::from_u64(input.u64()?);
    let successor = if state == ROTATED {
        Some(input.id()?)
    } else {
        None
    };
    Ok((TokenState::Revoked { at, successor }, sequence))
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::ErrorKind;

    use super::*;
    use crate::samples::{at, full, id, odd_texts, plain};

    fn samples() -> Vec<Stored> {
        let revoked = |successor| TokenState::Revoked {
            at: at(99),
            successor,
        };
        let mut samples = Vec::new();
        for record in [plain(), full(), plain().with_data(vec![7; 70_000])] {
            let active = Stored::active(record);
            samples.push(active.revoked(revoked(None), Sequence::from_u64(u64::MAX)));
            samples.push(active.revoked(revoked(Some(id(3))), Sequence::from_u64(1)));
            samples.push(active);
        }
        samples
    }

    #[test]
    fn each_record_comes_back() {
        for stored in samples() {
            let value = stored.encode();
            assert_eq!(Stored::decode(&stored.record.id, &value).unwrap(), stored);
        }
    }

    #[test]
    fn odd_texts_come_back_in_every_field() {
        for text in odd_texts() {
            let some = Some(text.clone());
            let record = TokenRecord {
                audit_id: text.clone(),
                audit_chain_id: text.clone(),
                user_id: text.clone(),
                tenant_id: some.clone(),
                domain_id: some.clone(),
                trust_id: some.clone(),
                consumer_id: some,
                ..plain()
            };
            let stored = Stored::active(record);
            assert_eq!(Stored::decode(&id(1), &stored.encode()).unwrap(), stored);
        }
    }

    #[test]
    fn the_header_alone_judges_the_token() {
        for stored in samples() {
            let value = stored.encode();
            let header = Header::decode(&stored.record.id, &value[..Header::LEN]).unwrap();
            for now in [at(0), at(999), at(1_000), at(2_000)] {
                assert_eq!(header.is_active(now), stored.record.is_active(now));
            }
        }
    }

    #[test]
    fn every_cut_is_corrupt() {
        let samples = samples();
        for stored in samples.iter().filter(|s| s.record.data.len() < 100) {
            let value = stored.encode();
            for cut in 0..value.len() {
                let error = Stored::decode(&stored.record.id, &value[..cut]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {cut}");
            }
        }
    }

    #[test]
    fn every_changed_bit_is_corrupt() {
        let samples = samples();
        for stored in samples.iter().filter(|s| s.record.data.len() < 100) {
            let value = stored.encode();
            for bit in 0..value.len() * 8 {
                let mut changed = value.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let error = Stored::decode(&stored.record.id, &changed).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "changed bit {bit}");
            }
        }
    }

    #[test]
    fn a_value_under_another_key_is_corrupt() {
        let value = Stored::active(plain()).encode();
        assert!(Stored::decode(&id(2), &value).is_err());
        let error = Stored::decode(&id(2), b"").unwrap_err();
        assert!(!error.message().contains("ada"), "{error}");
    }
}
