//! What the store has to hold, by what its writers said.

use std::collections::BTreeMap;

use libtest_mimic::Failed;
use tokenkeep_core::{Timestamp, TokenId, TokenState};
use tokenkeep_layout::{Key, Stored};

use crate::operation::{Operation, Said};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    writer: usize,
    expires_at: Timestamp,
    /// None once it is revoked.
    version: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    tokens: BTreeMap<TokenId, Token>,
    /// What each writer had begun when it was killed: done or not.
    pending: BTreeMap<usize, Operation>,
}

impl Model {
    pub(crate) fn hear(&mut self, said: Said) {
        match said {
            Said::Begun(writer, operation) => {
                self.pending.insert(writer, operation);
            }
            Said::Acknowledged(writer) => {
                if let Some(operation) = self.pending.remove(&writer) {
                    self.perform(writer, operation);
                }
            }
        }
    }

    pub(crate) fn ids(&self) -> Vec<TokenId> {
        self.tokens.keys().copied().collect()
    }

    /// The active tokens and their versions.
    pub(crate) fn active(&self, now: Timestamp) -> Vec<(TokenId, u64)> {
        let active = self.tokens.iter().filter(|(_, t)| t.expires_at > now);
        active
            .filter_map(|(id, token)| Some((*id, token.version?)))
            .collect()
    }

    /// Compares with what is stored, where what was begun may be done or not, and takes it over.
    pub(crate) fn compare(&mut self, entries: &Entries, now: Timestamp) -> Result<(), Failed> {
        let stored = tokens(entries)?;
        for (writer, operation) in std::mem::take(&mut self.pending) {
            self.settle(writer, operation, &stored);
        }
        // What has expired is absent, whatever is left of it.
        for (id, expected) in self.tokens.iter().filter(|(_, t)| t.expires_at > now) {
            let found = stored.get(id);
            if found != Some(expected) {
                return Err(format!("{id} is {found:?}, not {expected:?}").into());
            }
        }
        if let Some(id) = stored.keys().find(|id| !self.tokens.contains_key(*id)) {
            return Err(format!("{id} was never made").into());
        }
        self.tokens.retain(|id, _| stored.contains_key(id));
        Ok(())
    }

    /// Takes over what is stored.
    pub(crate) fn adopt(&mut self, entries: &Entries) -> Result<(), Failed> {
        self.pending.clear();
        self.tokens = tokens(entries)?;
        Ok(())
    }

    /// Does what was begun, if the store shows that it was done: wholly, or, for the call that works
    /// in slices, for each token.
    fn settle(&mut self, writer: usize, operation: Operation, stored: &BTreeMap<TokenId, Token>) {
        let mut after = self.clone();
        after.perform(writer, operation);
        if operation == Operation::DeleteTokens {
            for (id, token) in &mut self.tokens {
                let revoked = after.tokens.get(id);
                if let Some(revoked) = revoked.filter(|revoked| stored.get(id) == Some(revoked)) {
                    *token = *revoked;
                }
            }
            return;
        }
        let done = after.tokens.iter().all(|(id, token)| {
            let touched = self.tokens.get(id) != Some(token);
            !touched || stored.get(id) == Some(token)
        });
        if done {
            *self = after;
        }
    }

    fn perform(&mut self, writer: usize, operation: Operation) {
        let new = |expires_at| Token {
            writer,
            expires_at,
            version: Some(1),
        };
        let mut revoke = |id| {
            if let Some(token) = self.tokens.get_mut(&id) {
                token.version = None;
            }
        };
        match operation {
            Operation::Create(id, expires_at) => {
                self.tokens.insert(id, new(expires_at));
            }
            Operation::Delete(id) => revoke(id),
            Operation::Replace(id, expires_at, version) => {
                if let Some(token) = self.tokens.get_mut(&id) {
                    token.expires_at = expires_at;
                    token.version = Some(version + 1);
                }
            }
            Operation::Rotate(old, id, expires_at) => {
                revoke(old);
                self.tokens.insert(id, new(expires_at));
            }
            Operation::DeleteTokens => {
                for token in self.tokens.values_mut().filter(|t| t.writer == writer) {
                    token.version = None;
                }
            }
            Operation::FlushExpired => {}
        }
    }
}

fn tokens(entries: &Entries) -> Result<BTreeMap<TokenId, Token>, Failed> {
    let mut tokens = BTreeMap::new();
    for (key, value) in entries {
        let Key::Record(id) = Key::parse(key)? else {
            continue;
        };
        let stored = Stored::decode(&id, value)?;
        let record = stored.record();
        let writer = record.user_id.rsplit('-').next().unwrap_or_default();
        let version = (record.state == TokenState::Active).then_some(record.version);
        let token = Token {
            writer: writer.parse()?,
            expires_at: record.expires_at,
            version,
        };
        tokens.insert(id, token);
    }
    Ok(tokens)
}
