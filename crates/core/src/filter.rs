//! Which tokens a bulk call is about.

use crate::{Error, Result, Text, Timestamp, TokenRecord};

/// Which tokens `delete_tokens` revokes and `list` shows: all conditions joined by AND (R8).
///
/// At least one of the anchors (user, tenant, domain, trust, consumer) has to be given; a driver
/// refuses a filter without one by [`check`](Self::check), so nobody empties a store by mistake.
///
/// # Examples
///
/// ```
/// use tokenkeep_core::TokenFilter;
///
/// let filter = TokenFilter::new().with_user("ada")?.with_tenant("engines")?;
/// assert!(filter.check().is_ok());
/// assert!(TokenFilter::new().check().is_err());
/// # Ok::<(), tokenkeep_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// Anchor: tokens for this user.
    pub user_id: Option<Text>,
    /// Anchor: tokens scoped to this tenant.
    pub tenant_id: Option<Text>,
    /// Anchor: tokens scoped to this domain.
    pub domain_id: Option<Text>,
    /// Anchor: tokens made from this trust.
    pub trust_id: Option<Text>,
    /// Anchor: tokens issued to this consumer.
    pub consumer_id: Option<Text>,
    /// Narrows to the token with this audit id.
    pub audit_id: Option<Text>,
    /// Narrows to the tokens of this family.
    pub audit_chain_id: Option<Text>,
    /// Narrows to tokens issued earlier than this instant.
    pub issued_before: Option<Timestamp>,
}

/// The indexed fields of a record (R8), in the order in which a filter's are looked for: what mostly
/// selects the fewest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Anchor {
    /// `trust_id`.
    Trust,
    /// `user_id`.
    User,
    /// `consumer_id`.
    Consumer,
    /// `tenant_id`.
    Tenant,
    /// `domain_id`.
    Domain,
}

impl Anchor {
    /// All anchors, in that order.
    pub const ALL: [Self; 5] = [
        Self::Trust,
        Self::User,
        Self::Consumer,
        Self::Tenant,
        Self::Domain,
    ];

    /// The record's value at this anchor.
    #[must_use]
    pub const fn of(self, record: &TokenRecord) -> Option<&Text> {
        match self {
            Self::Trust => record.trust_id.as_ref(),
            Self::User => Some(&record.user_id),
            Self::Consumer => record.consumer_id.as_ref(),
            Self::Tenant => record.tenant_id.as_ref(),
            Self::Domain => record.domain_id.as_ref(),
        }
    }

    /// The filter's value at this anchor.
    #[must_use]
    pub const fn wanted(self, filter: &TokenFilter) -> Option<&Text> {
        match self {
            Self::Trust => filter.trust_id.as_ref(),
            Self::User => filter.user_id.as_ref(),
            Self::Consumer => filter.consumer_id.as_ref(),
            Self::Tenant => filter.tenant_id.as_ref(),
            Self::Domain => filter.domain_id.as_ref(),
        }
    }
}

impl TokenFilter {
    /// A filter without conditions: add an anchor before use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps tokens for this user.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where the text breaks the rules of [`Text`], as for all setters below.
    pub fn with_user(mut self, user_id: &str) -> Result<Self> {
        self.user_id = Some(Text::new("user_id", user_id)?);
        Ok(self)
    }

    /// Keeps tokens scoped to this tenant.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `tenant_id`.
    pub fn with_tenant(mut self, tenant_id: &str) -> Result<Self> {
        self.tenant_id = Some(Text::new("tenant_id", tenant_id)?);
        Ok(self)
    }

    /// Keeps tokens scoped to this domain.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `domain_id`.
    pub fn with_domain(mut self, domain_id: &str) -> Result<Self> {
        self.domain_id = Some(Text::new("domain_id", domain_id)?);
        Ok(self)
    }

    /// Keeps tokens made from this trust.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `trust_id`.
    pub fn with_trust(mut self, trust_id: &str) -> Result<Self> {
        self.trust_id = Some(Text::new("trust_id", trust_id)?);
        Ok(self)
    }

    /// Keeps tokens issued to this consumer.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `consumer_id`.
    pub fn with_consumer(mut self, consumer_id: &str) -> Result<Self> {
        self.consumer_id = Some(Text::new("consumer_id", consumer_id)?);
        Ok(self)
    }

    /// Keeps the token with this audit id.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `audit_id`.
    pub fn with_audit_id(mut self, audit_id: &str) -> Result<Self> {
        self.audit_id = Some(Text::new("audit_id", audit_id)?);
        Ok(self)
    }

    /// Keeps the tokens of this family.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming `audit_chain_id`.
    pub fn with_audit_chain(mut self, audit_chain_id: &str) -> Result<Self> {
        self.audit_chain_id = Some(Text::new("audit_chain_id", audit_chain_id)?);
        Ok(self)
    }

    /// Keeps tokens issued earlier than this instant.
    #[must_use]
    pub const fn issued_before(mut self, instant: Timestamp) -> Self {
        self.issued_before = Some(instant);
        self
    }

    /// What every driver checks before it acts on a filter.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where no anchor is given.
    pub fn check(&self) -> Result<(Anchor, &Text)> {
        Anchor::ALL
            .into_iter()
            .find_map(|anchor| Some((anchor, anchor.wanted(self)?)))
            .ok_or_else(|| {
                let problem = "has no anchor: give a user, tenant, domain, trust or consumer";
                Error::invalid_input("filter", problem)
            })
    }

    /// Tells whether a record meets all conditions; whether it is active is another question.
    #[must_use]
    pub fn matches(&self, record: &TokenRecord) -> bool {
        let anchors = Anchor::ALL.into_iter().all(|anchor| {
            anchor
                .wanted(self)
                .is_none_or(|wanted| anchor.of(record) == Some(wanted))
        });
        anchors
            && self
                .audit_id
                .as_ref()
                .is_none_or(|wanted| *wanted == record.audit_id)
            && self
                .audit_chain_id
                .as_ref()
                .is_none_or(|wanted| *wanted == record.audit_chain_id)
            && self
                .issued_before
                .is_none_or(|instant| record.issued_at < instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenId;

    fn record() -> TokenRecord {
        let at = Timestamp::from_micros("t", 5).unwrap();
        let record = TokenRecord::new(TokenId::from_bytes([1; 32]), "a", "u", at, Timestamp::MAX);
        record.unwrap().with_tenant("t").unwrap()
    }

    #[test]
    fn narrowing_fields_are_no_anchor() {
        let filter = TokenFilter::new()
            .with_audit_id("a")
            .unwrap()
            .issued_before(Timestamp::MAX);
        assert!(filter.check().is_err());
    }

    #[test]
    fn the_most_selective_anchor_leads() {
        let filter = TokenFilter::new()
            .with_tenant("t")
            .unwrap()
            .with_user("u")
            .unwrap();
        assert_eq!(filter.check().unwrap().0, Anchor::User);
    }

    #[test]
    fn conditions_are_joined_by_and() {
        let user = TokenFilter::new().with_user("u").unwrap();
        assert!(user.matches(&record()));
        assert!(user.clone().with_tenant("t").unwrap().matches(&record()));
        assert!(
            !user
                .clone()
                .with_tenant("other")
                .unwrap()
                .matches(&record())
        );
        assert!(
            !user.with_trust("t").unwrap().matches(&record()),
            "an absent field never matches"
        );
    }

    #[test]
    fn issued_before_leaves_out_its_own_instant() {
        let user = TokenFilter::new().with_user("u").unwrap();
        assert!(
            !user
                .clone()
                .issued_before(record().issued_at)
                .matches(&record())
        );
        let later = Timestamp::from_micros("t", 6).unwrap();
        assert!(user.issued_before(later).matches(&record()));
    }
}
