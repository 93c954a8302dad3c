//! Who the demo's tokens are for.

use std::time::Duration;

use tokenkeep::{Expiry, IssueRequest, Result, TokenFilter};

/// How long a token of each sort lives.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(10 * 60);
pub(super) const LONG_LIFE: Duration = Duration::from_secs(60 * 60);

/// How many of each there are, for a number of tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) tokens: usize,
    pub(super) users: u64,
    tenants: u64,
    domains: u64,
    trusts: u64,
    consumers: u64,
}

/// What one token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) user: u64,
    pub(super) tenant: Option<u64>,
    pub(super) domain: Option<u64>,
    pub(super) trust: Option<u64>,
    pub(super) consumer: Option<u64>,
    pub(super) is_short_lived: bool,
}

/// The tokens that one bulk call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    User(u64),
    Tenant(u64),
    Domain(u64),
    Trust(u64),
    Consumer(u64),
}

impl Plan {
    pub(super) fn new(tokens: usize) -> Self {
        let a_hundredth = (tokens as u64 / 100).max(1);
        Self {
            tokens,
            users: a_hundredth,
            tenants: 20,
            domains: 5,
            trusts: a_hundredth,
            consumers: 8,
        }
    }

    /// The token of this number: the same in every run, and any two traits apart from each other.
    pub(super) fn spec(&self, number: usize) -> Spec {
        let mut dice = Dice(number as u64);
        let scope = dice.roll(10);
        let (tenant, domain) = (dice.roll(self.tenants), dice.roll(self.domains));
        let (in_trust, trust) = (dice.roll(10) == 0, dice.roll(self.trusts));
        let (by_consumer, consumer) = (dice.roll(8) == 0, dice.roll(self.consumers));
        Spec {
            user: number as u64 % self.users,
            tenant: (scope < 7).then_some(tenant),
            domain: (scope == 7 || scope == 8).then_some(domain),
            trust: in_trust.then_some(trust),
            consumer: by_consumer.then_some(consumer),
            is_short_lived: dice.roll(3) == 0,
        }
    }

    /// What is revoked in bulk, one after the other; some tokens belong to several.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<_> = (0..self.users).step_by(25).map(Group::User).collect();
        groups.extend([Group::Tenant(3), Group::Domain(2)]);
        groups.extend((0..self.trusts).step_by(25).map(Group::Trust));
        groups.push(Group::Consumer(5));
        groups
    }
}

impl Spec {
    pub(super) fn request(&self) -> Result<IssueRequest> {
        let life = if self.is_short_lived {
            SHORT_LIFE
        } else {
            LONG_LIFE
        };
        let mut request = IssueRequest::new(user(self.user)).with_expiry(Expiry::In(life));
        request.tenant_id = self.tenant.map(tenant);
        request.domain_id = self.domain.map(domain);
        request.trust_id = self.trust.map(trust);
        request.consumer_id = self.consumer.map(consumer);
        Ok(request.with_data(r#"{"methods":["password"],"roles":["member"]}"#))
    }
}

impl Group {
    /// Tells whether a token belongs to it: from the plan alone, without the store's filters.
    pub(super) fn has(self, spec: &Spec) -> bool {
        match self {
            Self::User(number) => spec.user == number,
            Self::Tenant(number) => spec.tenant == Some(number),
            Self::Domain(number) => spec.domain == Some(number),
            Self::Trust(number) => spec.trust == Some(number),
            Self::Consumer(number) => spec.consumer == Some(number),
        }
    }

    pub(super) fn filter(self) -> Result<TokenFilter> {
        let filter = TokenFilter::new();
        match self {
            Self::User(number) => filter.with_user(&user(number)),
            Self::Tenant(number) => filter.with_tenant(&tenant(number)),
            Self::Domain(number) => filter.with_domain(&domain(number)),
            Self::Trust(number) => filter.with_trust(&trust(number)),
            Self::Consumer(number) => filter.with_consumer(&consumer(number)),
        }
    }

    /// The kind of group, in words.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Tenant(_) => "tenant",
            Self::Domain(_) => "domain",
            Self::Trust(_) => "trust",
            Self::Consumer(_) => "consumer",
        }
    }
}

pub(super) fn user(number: u64) -> String {
    format!("user-{number}")
}

fn tenant(number: u64) -> String {
    format!("tenant-{number}")
}

fn domain(number: u64) -> String {
    format!("domain-{number}")
}

fn trust(number: u64) -> String {
    format!("trust-{number}")
}

fn consumer(number: u64) -> String {
    format!("consumer-{number}")
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trait_occurs_and_so_does_its_absence() {
        let plan = Plan::new(1_000);
        let specs: Vec<_> = (0..plan.tokens).map(|number| plan.spec(number)).collect();
        let some_and_none = |of: fn(&Spec) -> bool| {
            let count = specs.iter().filter(|spec| of(spec)).count();
            0 < count && count < specs.len()
        };
        assert!(some_and_none(|spec| spec.tenant.is_some()));
        assert!(some_and_none(|spec| spec.domain.is_some()));
        assert!(some_and_none(|spec| spec.trust.is_some()));
        assert!(some_and_none(|spec| spec.consumer.is_some()));
        assert!(some_and_none(|spec| spec.is_short_lived));
        for group in plan.groups() {
            assert!(specs.iter().any(|spec| group.has(spec)), "{group:?}");
        }
    }
}
