//! A record as JSON.

use serde::{Deserialize, Serialize};
use tokenkeep::{Error, Result, Text, Timestamp, TokenId, TokenRecord, TokenState};

use crate::state::Entry;

/// One entry as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    id: String,
    audit_id: String,
    audit_chain_id: String,
    user_id: String,
    tenant_id: Option<String>,
    domain_id: Option<String>,
    trust_id: Option<String>,
    consumer_id: Option<String>,
    issued_at: i64,
    expires_at: i64,
    data: Vec<u8>,
    version: u64,
    revoked: Option<Revoked>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    number: u64,
    at: i64,
    successor: Option<String>,
}

impl From<&Entry> for Row {
    fn from(Entry { record, revocation }: &Entry) -> Self {
        // Every field is named, so that a new one cannot be forgotten.
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
        } = record;
        let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string);
        let revoked = match (state, revocation) {
            (TokenState::Revoked { at, successor }, Some(number)) => Some(Revoked {
                number: *number,
                at: at.as_micros(),
                successor: successor.map(|id| id.to_string()),
            }),
            _ => None,
        };
        Self {
            id: id.to_string(),
            audit_id: audit_id.to_string(),
            audit_chain_id: audit_chain_id.to_string(),
            user_id: user_id.to_string(),
            tenant_id: text(tenant_id),
            domain_id: text(domain_id),
            trust_id: text(trust_id),
            consumer_id: text(consumer_id),
            issued_at: issued_at.as_micros(),
            expires_at: expires_at.as_micros(),
            data: data.to_vec(),
            version: *version,
            revoked,
        }
    }
}

impl TryFrom<Row> for Entry {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let optional =
            |field, text: Option<String>| text.map(|text| Text::new(field, text)).transpose();
        let state = match &row.revoked {
            None => TokenState::Active,
            Some(revoked) => TokenState::Revoked {
                at: Timestamp::from_micros("revoked.at", revoked.at)?,
                successor: revoked.successor.as_deref().map(str::parse).transpose()?,
            },
        };
        let record = TokenRecord {
            id: row.id.parse::<TokenId>()?,
            audit_id: Text::new("audit_id", row.audit_id)?,
            audit_chain_id: Text::new("audit_chain_id", row.audit_chain_id)?,
            user_id: Text::new("user_id", row.user_id)?,
            tenant_id: optional("tenant_id", row.tenant_id)?,
            domain_id: optional("domain_id", row.domain_id)?,
            trust_id: optional("trust_id", row.trust_id)?,
            consumer_id: optional("consumer_id", row.consumer_id)?,
            issued_at: Timestamp::from_micros("issued_at", row.issued_at)?,
            expires_at: Timestamp::from_micros("expires_at", row.expires_at)?,
            data: row.data.into(),
            version: row.version,
            state,
        };
        let revocation = row.revoked.map(|revoked| revoked.number);
        Ok(Self { record, revocation })
    }
}
