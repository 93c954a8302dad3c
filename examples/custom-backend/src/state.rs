//! The tables in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use tokenkeep::{
    Anchor, Error, Result, RevokedToken, Text, Timestamp, TokenFilter, TokenId, TokenRecord,
    TokenState,
};

/// A record, and the number of its revocation once it is revoked.
pub(crate) struct Entry {
    pub(crate) record: TokenRecord,
    pub(crate) revocation: Option<u64>,
}

/// What one call changes, wholly or not at all.
#[derive(Default)]
pub(crate) struct Change {
    /// Entries to store, in the place of others with their ids.
    pub(crate) put: Vec<Entry>,
    pub(crate) remove: Vec<TokenId>,
}

/// All entries, and the orders in which they are looked through.
#[derive(Default)]
pub(crate) struct State {
    entries: BTreeMap<TokenId, Entry>,
    anchored: BTreeSet<(Anchor, Text, TokenId)>,
    expiring: BTreeSet<(Timestamp, TokenId)>,
    revoked: BTreeMap<u64, TokenId>,
    last_revocation: u64,
}

impl State {
    pub(crate) fn apply(&mut self, change: Change) {
        change.remove.iter().for_each(|id| self.remove(id));
        for entry in change.put {
            self.remove(&entry.record.id);
            self.insert(entry);
        }
    }

    /// The record, revoked or not, unless it has expired.
    pub(crate) fn find(&self, id: &TokenId, now: Timestamp) -> Option<&TokenRecord> {
        let record = &self.entries.get(id)?.record;
        (!record.is_expired(now)).then_some(record)
    }

    pub(crate) fn find_active(&self, id: &TokenId, now: Timestamp) -> Result<&TokenRecord> {
        self.find(id, now)
            .filter(|record| record.is_active(now))
            .ok_or_else(Error::not_found)
    }

    /// Active records that match, by id, after the given one.
    pub(crate) fn matching<'a>(
        &'a self,
        filter: &'a TokenFilter,
        after: Option<TokenId>,
        now: Timestamp,
    ) -> Result<impl Iterator<Item = &'a TokenRecord>> {
        let (anchor, value) = filter.check()?;
        let start = match after {
            Some(id) => Excluded((anchor, value.clone(), id)),
            None => Included((
                anchor,
                value.clone(),
                TokenId::from_bytes([0; TokenId::LEN]),
            )),
        };
        Ok(self
            .anchored
            .range((start, Unbounded))
            .take_while(move |(a, v, _)| *a == anchor && v == value)
            .filter_map(move |(_, _, id)| self.find_active(id, now).ok())
            .filter(|record| filter.matches(record)))
    }

    /// Revoked, unexpired tokens by number of revocation, after the given one.
    pub(crate) fn revoked_after(
        &self,
        number: u64,
        now: Timestamp,
    ) -> impl Iterator<Item = (u64, RevokedToken)> {
        let after = self.revoked.range((Excluded(number), Unbounded));
        after.filter_map(move |(number, id)| Some((*number, feed_item(self.find(id, now)?)?)))
    }

    pub(crate) fn expired(&self, now: Timestamp) -> impl Iterator<Item = TokenId> {
        let expired = self.expiring.iter().take_while(move |(at, _)| *at <= now);
        expired.map(|(_, id)| *id)
    }

    /// The entries of these records, revoked now, one after the other.
    pub(crate) fn revoke<'a>(
        &self,
        records: impl Iterator<Item = &'a TokenRecord>,
        at: Timestamp,
        successor: Option<TokenId>,
    ) -> Vec<Entry> {
        let state = TokenState::Revoked { at, successor };
        let numbered = (self.last_revocation + 1..).zip(records);
        numbered
            .map(|(number, record)| Entry {
                record: TokenRecord {
                    state,
                    ..record.clone()
                },
                revocation: Some(number),
            })
            .collect()
    }

    fn insert(&mut self, entry: Entry) {
        let record = &entry.record;
        if record.state == TokenState::Active {
            self.anchored.extend(places(record));
        }
        self.expiring.insert((record.expires_at, record.id));
        if let Some(number) = entry.revocation {
            self.revoked.insert(number, record.id);
            self.last_revocation = self.last_revocation.max(number);
        }
        self.entries.insert(record.id, entry);
    }

    fn remove(&mut self, id: &TokenId) {
        let Some(Entry { record, revocation }) = self.entries.remove(id) else {
            return;
        };
        places(&record).for_each(|place| {
            self.anchored.remove(&place);
        });
        self.expiring.remove(&(record.expires_at, record.id));
        if let Some(number) = revocation {
            self.revoked.remove(&number);
        }
    }
}

/// Where an active record stands in the order by anchor.
fn places(record: &TokenRecord) -> impl Iterator<Item = (Anchor, Text, TokenId)> {
    Anchor::ALL
        .into_iter()
        .filter_map(|anchor| Some((anchor, anchor.of(record)?.clone(), record.id)))
}

fn feed_item(record: &TokenRecord) -> Option<RevokedToken> {
    let TokenState::Revoked { at, .. } = record.state else {
        return None;
    };
    Some(RevokedToken {
        id: record.id,
        audit_id: record.audit_id.clone(),
        user_id: record.user_id.clone(),
        revoked_at: at,
        expires_at: record.expires_at,
    })
}
