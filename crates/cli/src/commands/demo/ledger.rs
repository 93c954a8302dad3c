//! The demo's own bookkeeping: what must have become of each token, whatever the store says.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokenkeep::{TokenId, TokenSecret};

use super::plan::{Group, Spec};

/// One token that was issued.
pub(super) struct Entry {
    pub(super) spec: Spec,
    pub(super) secret: Arc<TokenSecret>,
    pub(super) id: TokenId,
    /// The turn at which it was revoked: those of one turn were revoked at once, in any order.
    pub(super) revoked: Option<u64>,
    pub(super) is_expired: bool,
}

impl Entry {
    pub(super) fn is_active(&self) -> bool {
        self.revoked.is_none() && !self.is_expired
    }
}

/// Every token that was issued, with what was done to it.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    /// How many bulk revocations there were, one after the other; the rotations went before.
    turns: u64,
}

impl Ledger {
    pub(super) fn add(&mut self, spec: Spec, secret: TokenSecret, id: TokenId) {
        self.entries.push(Entry {
            spec,
            secret: Arc::new(secret),
            id,
            revoked: None,
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
        self.turns += 1;
        let mut revoked = 0;
        for entry in &mut self.entries {
            if entry.is_active() && group.has(&entry.spec) {
                entry.revoked = Some(self.turns);
                revoked += 1;
            }
        }
        revoked
    }

    /// The ids of tokens that are revoked and have not expired, each with its turn.
    pub(super) fn revoked(&self) -> BTreeMap<TokenId, u64> {
        let unexpired = self.entries.iter().filter(|entry| !entry.is_expired);
        let revoked = unexpired.filter_map(|entry| Some((entry.id, entry.revoked?)));
        revoked.collect()
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
