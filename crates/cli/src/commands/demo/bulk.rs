//! The second half of the demo: tokens are revoked in bulk, listed, expire and are flushed.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tokenkeep::{Result, TokenDriverExt, TokenId};

use super::plan::{Group, LONG_LIFE, SHORT_LIFE, Spec};
use super::{Life, Step};

const FLUSH_BATCH: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

impl Life {
    /// Revokes by user, tenant, domain, trust and consumer.
    pub(super) async fn revoke(&mut self) -> Result<Step> {
        let mut counts: Vec<(Group, u64, u64)> = Vec::new();
        let began = Instant::now();
        for group in self.plan.groups() {
            let revoked = self.manager.delete_matching(&group.filter()?).await?;
            counts.push((group, 0, revoked.len() as u64));
        }
        let took = began.elapsed();
        let mut left = 0;
        for (group, expected, _) in &mut counts {
            *expected = self.ledger.revoke(*group);
            left += self.count(*group).await?;
        }
        let valid = self.count_valid("validating").await?;
        let title = "Revoke in bulk";
        let handled = counts.iter().map(|(.., found)| *found as usize).sum();
        let mut step = Step::new("revoke", title, handled, took);
        for kind in ["user", "tenant", "domain", "trust", "consumer"] {
            let of_kind = counts.iter().filter(|(group, ..)| group.kind() == kind);
            let (calls, expected, found) = of_kind.fold((0, 0, 0), |sum, (_, expected, found)| {
                (sum.0 + 1, sum.1 + expected, sum.2 + found)
            });
            step = step.figure(format!("revoked by {kind} ({calls})"), expected, found);
        }
        Ok(step.figure("listed of them afterwards", 0, left).figure(
            "valid tokens",
            self.ledger.active(),
            valid,
        ))
    }

    /// Lists what was revoked, in order.
    pub(super) async fn list_revoked(&mut self) -> Result<Step> {
        let began = Instant::now();
        let listed = self.manager.list_revoked().await?;
        let took = began.elapsed();
        let expected = self.ledger.revoked();
        let ids: BTreeSet<TokenId> = listed.iter().map(|revoked| revoked.id).collect();
        let known = ids.iter().filter(|id| expected.contains_key(id)).count() as u64;
        let in_order = listed.is_sorted_by_key(|revoked| expected.get(&revoked.id));
        let title = "List what was revoked";
        Ok(Step::new("list_revoked", title, listed.len(), took)
            .figure("listed", expected.len() as u64, listed.len() as u64)
            .figure("of them, revoked here", expected.len() as u64, known)
            .figure("lists in order of revocation", 1, u64::from(in_order)))
    }

    /// Lets the short-lived tokens expire.
    pub(super) async fn expire_some(&mut self) -> Result<Step> {
        let title = "Half an hour later: the short-lived ones have expired; flush them";
        let span = 3 * SHORT_LIFE;
        self.expire("expire_some", title, span, |spec| spec.is_short_lived)
            .await
    }

    /// Lets all tokens expire.
    pub(super) async fn expire_all(&mut self) -> Result<Step> {
        let title = "An hour later still: all have expired; flush them";
        self.expire("expire_all", title, LONG_LIFE, |_| true).await
    }

    async fn expire(
        &mut self,
        name: &'static str,
        title: &str,
        span: Duration,
        which: impl Fn(&Spec) -> bool,
    ) -> Result<Step> {
        self.clock.skip(span);
        let expired = self.ledger.expire(which);
        let valid_before = self.count_valid("validating").await?;
        let driver = self.manager.driver();
        let began = Instant::now();
        let removed = driver.flush_all_expired(FLUSH_BATCH).await?;
        let took = began.elapsed();
        let valid_after = self.count_valid("validating").await?;
        let revoked = driver.list_all_revoked().await?.len() as u64;
        Ok(Step::new(name, title, removed as usize, took)
            .figure("valid before the flush", self.ledger.active(), valid_before)
            .figure("removed", expired, removed)
            .figure("valid after it", self.ledger.active(), valid_after)
            .figure(
                "listed as revoked",
                self.ledger.revoked().len() as u64,
                revoked,
            ))
    }
}
