//! What a driver stores for one token.

use bytes::Bytes;

use crate::{Error, Result, Text, Timestamp, TokenId};

/// Whether a token can still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// Not revoked.
    Active,
    /// Revoked for good (R7).
    Revoked {
        /// When.
        at: Timestamp,
        /// The token that took its place, if it was rotated (R12).
        successor: Option<TokenId>,
    },
}

/// What a driver stores for one token (contract, section 2).
///
/// The types of the fields carry the rules, so a record that exists is legal but for what
/// [`check_new`](Self::check_new) adds. The fields are public: a driver builds a record from a row,
/// and takes one apart, naming every field, so that a new one cannot be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Unique in a namespace.
    pub id: TokenId,
    /// The public handle of this token.
    pub audit_id: Text,
    /// The audit id of the first token of the family; the token's own if it is the first.
    pub audit_chain_id: Text,
    /// Who it is for.
    pub user_id: Text,
    /// The project it is scoped to.
    pub tenant_id: Option<Text>,
    /// The domain it is scoped to.
    pub domain_id: Option<Text>,
    /// The delegation it was made from.
    pub trust_id: Option<Text>,
    /// The OAuth client it was issued to.
    pub consumer_id: Option<Text>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// From this instant on it is absent (R1).
    pub expires_at: Timestamp,
    /// Opaque to drivers; see [`Limits::max_data_len`].
    pub data: Bytes,
    /// 1 at creation, one more at each `replace` (R11).
    pub version: u64,
    /// Active, or revoked.
    pub state: TokenState,
}

impl TokenRecord {
    /// A new, active record of version 1 with empty data, first of its audit chain.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where a text breaks the rules of [`Text`]; it names the field.
    pub fn new(
        id: TokenId,
        audit_id: &str,
        user_id: &str,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Self> {
        let audit_id = Text::new("audit_id", audit_id)?;
        Ok(Self {
            id,
            audit_chain_id: audit_id.clone(),
            audit_id,
            user_id: Text::new("user_id", user_id)?,
            tenant_id: None,
            domain_id: None,
            trust_id: None,
            consumer_id: None,
            issued_at,
            expires_at,
            data: Bytes::new(),
            version: 1,
            state: TokenState::Active,
        })
    }

    /// Puts the token into a family.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where the text breaks the rules of [`Text`], as for all setters below.
    pub fn with_audit_chain(mut self, audit_chain_id: &str) -> Result<Self> {
        self.audit_chain_id = Text::new("audit_chain_id", audit_chain_id)?;
        Ok(self)
    }

    /// Scopes the token to a tenant.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `tenant_id`.
    pub fn with_tenant(mut self, tenant_id: &str) -> Result<Self> {
        self.tenant_id = Some(Text::new("tenant_id", tenant_id)?);
        Ok(self)
    }

    /// Scopes the token to a domain.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `domain_id`.
    pub fn with_domain(mut self, domain_id: &str) -> Result<Self> {
        self.domain_id = Some(Text::new("domain_id", domain_id)?);
        Ok(self)
    }

    /// Names the delegation the token was made from.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `trust_id`.
    pub fn with_trust(mut self, trust_id: &str) -> Result<Self> {
        self.trust_id = Some(Text::new("trust_id", trust_id)?);
        Ok(self)
    }

    /// Names the OAuth client the token was issued to.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `consumer_id`.
    pub fn with_consumer(mut self, consumer_id: &str) -> Result<Self> {
        self.consumer_id = Some(Text::new("consumer_id", consumer_id)?);
        Ok(self)
    }

    /// Gives the token its data.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Bytes>) -> Self {
        self.data = data.into();
        self
    }

    /// Tells whether the record is neither revoked nor expired (R1).
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        !self.is_expired(now) && self.state == TokenState::Active
    }

    /// Tells whether the record counts as absent: from `expires_at` on, that instant included (R1).
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// What every driver checks before it creates a record, alone, in a batch or by `rotate`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for over-long data, a version other than 1, and a state other than active.
    pub fn check_new(&self, limits: &Limits) -> Result<()> {
        limits.check_data(&self.data)?;
        if self.version != 1 {
            return Err(Error::invalid_input("version", "of a new record is not 1"));
        }
        if self.state != TokenState::Active {
            return Err(Error::invalid_input(
                "state",
                "of a new record is not active",
            ));
        }
        Ok(())
    }
}

/// What `replace` may change of an active token (R11); all else stays as it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The token to change.
    pub id: TokenId,
    /// Its new expiry. One that has passed makes the token absent at once.
    pub expires_at: Timestamp,
    /// Its new data.
    pub data: Bytes,
}

/// A revoked token as the revocation feed shows it (R10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// The token's id.
    pub id: TokenId,
    /// Its public handle.
    pub audit_id: Text,
    /// Who it was for.
    pub user_id: Text,
    /// When it was revoked.
    pub revoked_at: Timestamp,
    /// When it would have expired; from then on the feed leaves it out.
    pub expires_at: Timestamp,
}

/// The limits that a store is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest data of a record in bytes. Default: 65,536.
    pub max_data_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_data_len: 64 * 1024,
        }
    }
}

impl Limits {
    /// Checks the length of a record's data.
    ///
    /// # Errors
    ///
    /// `InvalidInput` beyond [`max_data_len`](Self::max_data_len), naming `data`.
    pub fn check_data(&self, data: &[u8]) -> Result<()> {
        if data.len() <= self.max_data_len {
            return Ok(());
        }
        let problem = format!(
            "is {} bytes long; the limit is {}",
            data.len(),
            self.max_data_len
        );
        Err(Error::invalid_input("data", problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> TokenRecord {
        let at = |micros| Timestamp::from_micros("t", micros).unwrap();
        TokenRecord::new(TokenId::from_bytes([1; 32]), "a", "u", at(5), at(10)).unwrap()
    }

    #[test]
    fn a_record_is_absent_at_its_expiry_exactly() {
        let at = |micros| Timestamp::from_micros("t", micros).unwrap();
        assert!(record().is_active(at(9)));
        assert!(!record().is_active(at(10)));
    }

    #[test]
    fn data_are_legal_up_to_the_limit() {
        let limits = Limits { max_data_len: 3 };
        assert!(record().with_data("abc").check_new(&limits).is_ok());
        assert!(record().with_data("abcd").check_new(&limits).is_err());
    }

    #[test]
    fn only_a_fresh_record_is_new() {
        let mut old = record();
        old.version = 2;
        assert!(old.check_new(&Limits::default()).is_err());
        let mut revoked = record();
        revoked.state = TokenState::Revoked {
            at: Timestamp::MIN,
            successor: None,
        };
        assert!(revoked.check_new(&Limits::default()).is_err());
    }
}
