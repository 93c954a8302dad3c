//! The demo's own bookkeeping: what must have become of each token, whatever the store says.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokenkeep::{TokenId, TokenSecret};

use super::plan::{Group, Spec};

/// One token that was issued.
pub(super) struct Entry {
    pub(super) spec: Spec,
    pub(super) secret: Arc<TokenSecret>,
    pub(super) id: TokenId,
    pub(super) is_revoked: bool,
    pub(super) is_expired: bool,
}

impl Entry {
    pub(super) fn is_active(&self) -> bool {
        !self.is_revoked && !self.is_expired
    }
}

/// Every token that was issued, with what was done to it.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    pub(super) fn add(&mut self, spec: Spec, secret: TokenSecret, id: TokenId) {
        self.entries.push(Entry {
            spec,
            secret: Arc::new(secret),
            id,
            is_revoked: false,
            is_expired: false,
        });
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    pub(super) fn active(&self) -> u64 {
        self.entries
            .iter()
            .filter(|entry| entry.is_active())
            .count() as u64
    }

    /// Notes that the active tokens of a group were revoked; says how many that must have been.
    pub(super) fn revoke(&mut self, group: Group) -> u64 {
        let mut revoked = 0;
        for entry in &mut self.entries {
            if entry.is_active() && group.has(&entry.spec) {
                entry.is_revoked = true;
                revoked += 1;
            }
        }
        revoked
    }

    /// The ids of tokens that are revoked and have not expired.
    pub(super) fn revoked(&self) -> BTreeSet<TokenId> {
        let revoked = self.entries.iter();
        let revoked = revoked.filter(|entry| entry.is_revoked && !entry.is_expired);
        revoked.map(|entry| entry.id).collect()
    }

    /// Notes that these tokens have expired; says how many did that had not yet.
    pub(super) fn expire(&mut self, which: impl Fn(&Spec) -> bool) -> u64 {
        let mut expired = 0;
        for entry in &mut self.entries {
            if !entry.is_expired && which(&entry.spec) {
                entry.is_expired = true;
                expired += 1;
            }
        }
        expired
    }
}
