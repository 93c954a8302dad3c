//! A token as it is stored. The scripts know this form too; see `scripts/part_record.lua`.

use bytes::Bytes;
use tokenkeep_core::{
    Anchor, Error, ErrorKind, Result, RevokedToken, Text, Timestamp, TokenId, TokenRecord,
    TokenState,
};

const FORMAT: u8 = 1;
const ACTIVE: u8 = 0;
const REVOKED: u8 = 1;

/// What is stored for a new or changed active token.
pub(crate) fn encode(record: &TokenRecord) -> Vec<u8> {
    let mut out = Vec::with_capacity(160 + record.data.len());
    out.extend_from_slice(&[FORMAT, ACTIVE]);
    out.extend_from_slice(&instant(record.expires_at));
    out.extend_from_slice(&instant(record.issued_at));
    out.extend_from_slice(&record.version.to_be_bytes());
    let begin = out.len();
    out.extend_from_slice(&[0; 2]);
    push_anchors(&mut out, record);
    // Five texts of at most 256 bytes with their lengths.
    let length = u16::try_from(out.len() - begin - 2).unwrap_or(u16::MAX);
    out[begin..begin + 2].copy_from_slice(&length.to_be_bytes());
    push(&mut out, &record.audit_id);
    push(&mut out, &record.audit_chain_id);
    out.extend_from_slice(&record.data);
    out
}

/// A token's entry in the order of expiry. It names the token's indexes; see `scripts/part_index.lua`.
pub(crate) fn expiry_entry(record: &TokenRecord) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(&instant(record.expires_at));
    out.extend_from_slice(record.id.as_bytes());
    push_anchors(&mut out, record);
    out
}

/// An instant as it is stored.
pub(crate) fn instant(at: Timestamp) -> [u8; 8] {
    at.as_micros().to_be_bytes()
}

fn push_anchors(out: &mut Vec<u8>, record: &TokenRecord) {
    for anchor in Anchor::ALL {
        push(out, anchor.of(record).map_or("", Text::as_str));
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    // A text is at most 255 bytes long.
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

/// A stored token, revoked or not, whether or not it has expired. Data of a revoked one are gone.
///
/// # Errors
///
/// `Corrupt`, naming the token's id.
pub(crate) fn decode(id: TokenId, value: Bytes) -> Result<TokenRecord> {
    read(id, value).ok_or_else(|| unreadable(id))
}

/// The error of a token that cannot be read.
pub(crate) fn unreadable(id: TokenId) -> Error {
    let problem = format!("what is stored for the token {id} has no known form");
    Error::new(ErrorKind::Corrupt, problem)
}

/// A revoked token as the feed shows it.
///
/// # Errors
///
/// `Corrupt`, naming the token's id.
pub(crate) fn decode_revoked(id: TokenId, value: Bytes) -> Result<RevokedToken> {
    let record = decode(id, value)?;
    let TokenState::Revoked { at, .. } = record.state else {
        let problem = format!("the feed of revocations holds the token {id}, which is active");
        return Err(Error::new(ErrorKind::Corrupt, problem));
    };
    Ok(RevokedToken {
        id,
        audit_id: record.audit_id,
        user_id: record.user_id,
        revoked_at: at,
        expires_at: record.expires_at,
    })
}

/// When a token was revoked and by which successor, as a script gives them.
///
/// # Errors
///
/// `Corrupt`, naming the token's id.
pub(crate) fn decode_revocation(id: TokenId, at: &[u8], successor: &[u8]) -> Result<TokenState> {
    let bytes = [at, successor].concat();
    revocation(&mut Input(&bytes)).ok_or_else(|| {
        let problem = format!("the revocation stored for the token {id} has no known form");
        Error::new(ErrorKind::Corrupt, problem)
    })
}

fn read(id: TokenId, value: Bytes) -> Option<TokenRecord> {
    let mut input = Input(&value);
    let [format, state] = input.array()?;
    if format != FORMAT || state > REVOKED {
        return None;
    }
    let expires_at = input.instant()?;
    let issued_at = input.instant()?;
    let version = u64::from_be_bytes(input.array()?);
    let length = usize::from(u16::from_be_bytes(input.array()?));
    let behind = input.0.len().checked_sub(length)?;
    // In the order of Anchor::ALL.
    let trust_id = input.text()?;
    let user_id = input.text()??;
    let consumer_id = input.text()?;
    let tenant_id = input.text()?;
    let domain_id = input.text()?;
    if input.0.len() != behind {
        return None;
    }
    let audit_id = input.text()??;
    let audit_chain_id = input.text()??;
    let (state, data) = match state {
        ACTIVE => (TokenState::Active, value.slice_ref(input.0)),
        _ => (revocation(&mut input)?, Bytes::new()),
    };
    Some(TokenRecord {
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
    })
}

fn revocation(input: &mut Input<'_>) -> Option<TokenState> {
    let at = input.instant()?;
    let successor = match input.0 {
        [] => None,
        id => Some(TokenId::from_bytes(id.try_into().ok()?)),
    };
    Some(TokenState::Revoked { at, successor })
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn instant(&mut self) -> Option<Timestamp> {
        let micros = i64::from_be_bytes(self.array()?);
        Timestamp::from_micros("stored", micros).ok()
    }

    /// A text, absent if it is empty; nothing if it is none.
    fn text(&mut self) -> Option<Option<Text>> {
        let [length] = self.array()?;
        let (text, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        if text.is_empty() {
            return Some(None);
        }
        let text = str::from_utf8(text).ok()?;
        Text::new("stored", text).ok().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros("t", micros).unwrap()
    }

    fn full() -> TokenRecord {
        let id = TokenId::from_bytes([9; 32]);
        let mut record = TokenRecord::new(id, "audit", "Ünï", at(5), Timestamp::MAX)
            .and_then(|record| record.with_tenant(&"t".repeat(255)))
            .and_then(|record| record.with_domain("d"))
            .and_then(|record| record.with_trust("r"))
            .and_then(|record| record.with_consumer(" c "))
            .and_then(|record| record.with_audit_chain("chain"))
            .unwrap()
            .with_data(vec![0, 255, 10, 13]);
        record.version = u64::MAX;
        record
    }

    fn lean() -> TokenRecord {
        TokenRecord::new(TokenId::from_bytes([1; 32]), "a", "u", at(0), at(1)).unwrap()
    }

    #[test]
    fn a_record_comes_back() {
        for record in [full(), lean()] {
            let value = Bytes::from(encode(&record));
            assert_eq!(decode(record.id, value).unwrap(), record);
        }
    }

    #[test]
    fn whatever_is_cut_off_is_corrupt() {
        let value = Bytes::from(encode(&full()));
        let whole = value.len() - full().data.len();
        for length in 0..whole {
            let error = decode(full().id, value.slice(..length)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}");
        }
    }

    #[test]
    fn other_formats_and_states_are_corrupt() {
        for (at, byte) in [(0, 2), (1, 2), (2, 0xff), (26, 0xff), (27, 1)] {
            let mut value = encode(&lean());
            value[at] = byte;
            assert!(decode(lean().id, value.into()).is_err(), "{at}");
        }
    }

    #[test]
    fn a_revocation_has_an_instant_and_perhaps_a_successor() {
        let id = TokenId::from_bytes([3; 32]);
        for successor in [None, Some(id)] {
            let bytes = successor.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            let state = decode_revocation(id, &instant(at(7)), &bytes).unwrap();
            assert_eq!(
                state,
                TokenState::Revoked {
                    at: at(7),
                    successor
                }
            );
        }
        assert!(decode_revocation(id, &[0; 7], &[]).is_err());
        assert!(decode_revocation(id, &[0; 8], &[1]).is_err());
    }
}
