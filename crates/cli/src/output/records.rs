//! Records as they are shown: the same names in every command.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use tokenkeep::{Cursor, RevokedToken, Text, Timestamp, TokenRecord};

/// What anyone may know of a token: no secret, no data. Absent fields are null.
#[derive(Serialize)]
pub(crate) struct PublicToken<'a> {
    audit_id: &'a str,
    audit_chain_id: &'a str,
    user_id: &'a str,
    tenant_id: Option<&'a str>,
    domain_id: Option<&'a str>,
    trust_id: Option<&'a str>,
    consumer_id: Option<&'a str>,
    issued_at: String,
    expires_at: String,
}

impl<'a> From<&'a TokenRecord> for PublicToken<'a> {
    fn from(record: &'a TokenRecord) -> Self {
        Self {
            audit_id: &record.audit_id,
            audit_chain_id: &record.audit_chain_id,
            user_id: &record.user_id,
            tenant_id: record.tenant_id.as_deref(),
            domain_id: record.domain_id.as_deref(),
            trust_id: record.trust_id.as_deref(),
            consumer_id: record.consumer_id.as_deref(),
            issued_at: record.issued_at.to_string(),
            expires_at: record.expires_at.to_string(),
        }
    }
}

impl PublicToken<'_> {
    /// Names and values for people; absent ones are left out.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let some = |value: &str| Some(value.to_owned());
        let own = |value: Option<&str>| value.map(str::to_owned);
        [
            ("audit id", some(self.audit_id)),
            ("audit chain", some(self.audit_chain_id)),
            ("user", some(self.user_id)),
            ("tenant", own(self.tenant_id)),
            ("domain", own(self.domain_id)),
            ("trust", own(self.trust_id)),
            ("consumer", own(self.consumer_id)),
            ("issued at", some(&self.issued_at)),
            ("expires at", some(&self.expires_at)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// Everything that the store keeps for a token.
#[derive(Serialize)]
pub(crate) struct FullToken<'a> {
    #[serde(flatten)]
    pub(crate) public: PublicToken<'a>,
    pub(crate) token_id: String,
    pub(crate) version: u64,
    pub(crate) data_encoding: &'static str,
    pub(crate) data: String,
}

impl<'a> From<&'a TokenRecord> for FullToken<'a> {
    /// Data that are UTF-8 are shown as text, others in base64.
    fn from(record: &'a TokenRecord) -> Self {
        let (data_encoding, data) = match std::str::from_utf8(&record.data) {
            Ok(text) => ("utf-8", text.to_owned()),
            Err(_) => ("base64", BASE64_STANDARD.encode(&record.data)),
        };
        Self {
            public: record.into(),
            token_id: record.id.to_string(),
            version: record.version,
            data_encoding,
            data,
        }
    }
}

/// A line of the revocation feed.
#[derive(Serialize)]
pub(crate) struct RevokedLine<'a> {
    pub(crate) token_id: String,
    pub(crate) audit_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) revoked_at: String,
    pub(crate) expires_at: String,
}

impl<'a> From<&'a RevokedToken> for RevokedLine<'a> {
    fn from(revoked: &'a RevokedToken) -> Self {
        Self {
            token_id: revoked.id.to_string(),
            audit_id: &revoked.audit_id,
            user_id: &revoked.user_id,
            revoked_at: revoked.revoked_at.to_string(),
            expires_at: revoked.expires_at.to_string(),
        }
    }
}

/// A line that, at the end of a page, says where to resume.
#[derive(Serialize)]
pub(crate) struct WithCursor<'a, T> {
    #[serde(flatten)]
    line: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

impl<'a, T> WithCursor<'a, T> {
    pub(crate) fn new(line: T, cursor: Option<&'a Cursor>) -> Self {
        Self {
            line,
            cursor: cursor.map(Cursor::as_str),
        }
    }
}

/// The heading above [`token_row`]s.
pub(crate) const TOKEN_HEADER: [&str; 8] = [
    "AUDIT ID",
    "USER",
    "TENANT",
    "DOMAIN",
    "TRUST",
    "CONSUMER",
    "ISSUED AT",
    "EXPIRES AT",
];

/// A token as a row for people.
pub(crate) fn token_row(record: &TokenRecord) -> [String; 8] {
    let text = |value: &Option<Text>| value.as_deref().unwrap_or("-").to_owned();
    let time = |at: Timestamp| at.to_string();
    [
        record.audit_id.to_string(),
        record.user_id.to_string(),
        text(&record.tenant_id),
        text(&record.domain_id),
        text(&record.trust_id),
        text(&record.consumer_id),
        time(record.issued_at),
        time(record.expires_at),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenkeep::TokenId;

    fn record(data: &'static [u8]) -> TokenRecord {
        let id = TokenId::from_bytes([1; 32]);
        TokenRecord::new(id, "a", "u", Timestamp::MIN, Timestamp::MAX)
            .unwrap()
            .with_data(data)
    }

    #[test]
    fn data_that_are_no_text_are_base64() {
        let record = record(b"\xff\x00");
        let full = FullToken::from(&record);
        assert_eq!((full.data_encoding, full.data.as_str()), ("base64", "/wA="));
    }

    #[test]
    fn absent_fields_are_null_for_programs_and_left_out_for_people() {
        let record = record(b"");
        let public = PublicToken::from(&record);
        let json = serde_json::to_value(&public).unwrap();
        assert!(json["trust_id"].is_null());
        assert!(public.fields().iter().all(|(name, _)| *name != "trust"));
    }
}
