//! What a caller asks of the manager, and what it gets.

use std::time::Duration;

use bytes::Bytes;

use crate::{Timestamp, TokenId, TokenRecord, TokenSecret};

/// When a token shall expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// After [`TokenOptions::default_lifetime`](crate::TokenOptions::default_lifetime).
    #[default]
    Default,
    /// After this span, and at the end of the year 9999 at the latest.
    In(Duration),
    /// At this instant.
    At(Timestamp),
}

/// A token to issue. Texts are checked when it is issued; see [`Text`](crate::Text).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssueRequest {
    /// Who the token is for.
    pub user_id: String,
    /// The project it is scoped to. Default: none.
    pub tenant_id: Option<String>,
    /// The domain it is scoped to. Default: none.
    pub domain_id: Option<String>,
    /// The delegation it is made from. Default: none.
    pub trust_id: Option<String>,
    /// The OAuth client it is issued to. Default: none.
    pub consumer_id: Option<String>,
    /// Its public handle. Default: a random one.
    pub audit_id: Option<String>,
    /// The audit id of the first token of its family. Default: its own audit id.
    pub audit_chain_id: Option<String>,
    /// When it expires. Default: after the default lifetime.
    pub expiry: Expiry,
    /// Opaque data. Default: none.
    pub data: Bytes,
}

impl IssueRequest {
    /// A token for this user, with all else as the defaults say.
    #[must_use]
    pub fn new(user_id: impl Into<String>) -> Self {
        Self {
            user_id: user_id.into(),
            tenant_id: None,
            domain_id: None,
            trust_id: None,
            consumer_id: None,
            audit_id: None,
            audit_chain_id: None,
            expiry: Expiry::Default,
            data: Bytes::new(),
        }
    }

    /// Scopes it to a project.
    #[must_use]
    pub fn with_tenant(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant_id = Some(tenant_id.into());
        self
    }

    /// Scopes it to a domain.
    #[must_use]
    pub fn with_domain(mut self, domain_id: impl Into<String>) -> Self {
        self.domain_id = Some(domain_id.into());
        self
    }

    /// Names the delegation it is made from.
    #[must_use]
    pub fn with_trust(mut self, trust_id: impl Into<String>) -> Self {
        self.trust_id = Some(trust_id.into());
        self
    }

    /// Names the OAuth client it is issued to.
    #[must_use]
    pub fn with_consumer(mut self, consumer_id: impl Into<String>) -> Self {
        self.consumer_id = Some(consumer_id.into());
        self
    }

    /// Gives it an audit id made elsewhere.
    #[must_use]
    pub fn with_audit_id(mut self, audit_id: impl Into<String>) -> Self {
        self.audit_id = Some(audit_id.into());
        self
    }

    /// Puts it into a family.
    #[must_use]
    pub fn with_audit_chain(mut self, audit_chain_id: impl Into<String>) -> Self {
        self.audit_chain_id = Some(audit_chain_id.into());
        self
    }

    /// Says when it expires.
    #[must_use]
    pub const fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Gives it data.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Bytes>) -> Self {
        self.data = data.into();
        self
    }
}

/// A token's successor; what is not said here it takes over from the old token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotateRequest {
    /// When the successor expires. Default: after the default lifetime.
    pub expiry: Expiry,
    /// Its data. Default: the old token's.
    pub data: Option<Bytes>,
}

impl RotateRequest {
    /// A successor as the defaults say.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says when the successor expires.
    #[must_use]
    pub const fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Gives the successor other data.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Bytes>) -> Self {
        self.data = Some(data.into());
        self
    }
}

/// A token that was just issued.
#[derive(Debug)]
pub struct Issued {
    /// What its holder presents. This is the only time it is given out.
    pub secret: TokenSecret,
    /// What was stored.
    pub record: TokenRecord,
}

/// How a rotation ended (R12).
#[derive(Debug)]
pub enum RotateOutcome {
    /// The old token is revoked, and this is its successor.
    Rotated(Box<Issued>),
    /// The old token had been rotated or revoked before: presented twice, it may be stolen.
    AlreadyUsed {
        /// When.
        at: Timestamp,
        /// The token that took its place; none if it was revoked otherwise.
        successor: Option<TokenId>,
    },
}
