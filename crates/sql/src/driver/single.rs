//! The calls about one token that are gathered: create, get and delete.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use tokenkeep_backend::{Call, Outcome, read, write};
use tokenkeep_core::{TokenId, TokenRecord};

use super::core::Core;
use crate::gather::Batch;

/// Stores records; tells of each whether it was stored.
#[derive(Debug)]
pub(super) struct Creates(pub(super) Core);

#[async_trait]
impl Batch for Creates {
    type Request = TokenRecord;
    type Answer = bool;

    fn key(&self, record: &TokenRecord) -> Option<TokenId> {
        Some(record.id)
    }

    fn weight(&self, record: &TokenRecord) -> usize {
        record.data.len()
    }

    async fn execute(&self, call: &Call, records: &[TokenRecord]) -> Outcome<Vec<bool>> {
        let now = self.0.now();
        write(call, || self.0.dialect.insert(call, records, now)).await
    }
}

/// Reads records, active or not.
#[derive(Debug)]
pub(super) struct Gets(pub(super) Core);

#[async_trait]
impl Batch for Gets {
    type Request = TokenId;
    type Answer = Option<TokenRecord>;

    /// One look answers all that ask for the same token.
    fn key(&self, _: &TokenId) -> Option<TokenId> {
        None
    }

    fn weight(&self, _: &TokenId) -> usize {
        0
    }

    async fn execute(&self, call: &Call, ids: &[TokenId]) -> Outcome<Vec<Option<TokenRecord>>> {
        if let [_] = ids {
            let found = read(call, || self.0.dialect.fetch(call, ids)).await?;
            return Ok(vec![found.into_iter().next()]);
        }
        let distinct = distinct(ids);
        let found = read(call, || self.0.dialect.fetch(call, &distinct)).await?;
        let found: HashMap<_, _> = found.into_iter().map(|found| (found.id, found)).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }
}

/// Revokes tokens; tells of each whether it was active.
#[derive(Debug)]
pub(super) struct Deletes(pub(super) Core);

#[async_trait]
impl Batch for Deletes {
    type Request = TokenId;
    type Answer = bool;

    /// Of those about the same token the first revokes it.
    fn key(&self, _: &TokenId) -> Option<TokenId> {
        None
    }

    fn weight(&self, _: &TokenId) -> usize {
        0
    }

    async fn execute(&self, call: &Call, ids: &[TokenId]) -> Outcome<Vec<bool>> {
        let now = self.0.now();
        if let [_] = ids {
            let revoked = write(call, || self.0.dialect.revoke(call, ids, now)).await?;
            return Ok(vec![!revoked.is_empty()]);
        }
        let distinct = distinct(ids);
        let revoked = write(call, || self.0.dialect.revoke(call, &distinct, now)).await?;
        let mut revoked: HashSet<_> = revoked.into_iter().collect();
        Ok(ids.iter().map(|id| revoked.remove(id)).collect())
    }
}

/// Each id once, in order of its first place.
fn distinct(ids: &[TokenId]) -> Vec<TokenId> {
    let mut seen = HashSet::with_capacity(ids.len());
    ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}
