//! The reference driver: the contract in its shortest form, in the memory of the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    Anchor, Clock, Cursors, Durability, Error, Flushed, Limits, Page, PageRequest, Replacement,
    Result, RevokedToken, Rotation, StoreId, StoreInfo, Text, Timestamp, TokenDriver, TokenFilter,
    TokenId, TokenRecord, TokenState,
};

/// Keeps tokens in the memory of the process: for tests, and as the reference for all others.
///
/// # Behavior
///
/// - One lock round the whole store makes every call atomic (R3, R6, R12); it is never held across
///   an await.
/// - Clones share one store (R4). A new driver is a new store (R18).
/// - Nothing outlives the process: durability is `volatile`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tokenkeep_core::{Clock, MemoryDriver, SystemClock, Timestamp, TokenDriver, TokenId, TokenRecord};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tokenkeep_core::Result<()> {
/// let driver = MemoryDriver::new(Arc::new(SystemClock));
/// let id = TokenId::from_bytes([7; 32]);
/// driver.create(TokenRecord::new(id, "audit-1", "ada", SystemClock.now(), Timestamp::MAX)?).await?;
/// assert_eq!(driver.get(&id).await?.user_id.as_str(), "ada");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryDriver {
    store: Arc<Mutex<Store>>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    id: StoreId,
}

impl MemoryDriver {
    /// An empty store with the default limits.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_limits(clock, Limits::default())
    }

    /// An empty store with these limits.
    #[must_use]
    pub fn with_limits(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self {
            store: Arc::default(),
            clock,
            limits,
            id: StoreId::generate(),
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Every method leaves the store whole at each point where it could panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The records, and the orders in which they are looked through.
#[derive(Default)]
struct Store {
    records: BTreeMap<TokenId, Slot>,
    /// Active records by anchor.
    anchored: BTreeSet<(Anchor, Text, TokenId)>,
    /// All records by expiry.
    expiring: BTreeSet<(Timestamp, TokenId)>,
    /// Revoked records by number of revocation.
    revoked: BTreeMap<u64, TokenId>,
    revocations: u64,
}

struct Slot {
    record: TokenRecord,
    /// The number of its revocation, once it is revoked.
    revocation: Option<u64>,
}

impl fmt::Debug for Store {
    /// No record: its data may be what nobody should read in a log (R20).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl Store {
    fn find(&self, id: &TokenId, now: Timestamp) -> Option<&TokenRecord> {
        self.records
            .get(id)
            .map(|slot| &slot.record)
            .filter(|record| !record.is_expired(now))
    }

    fn find_active(&self, id: &TokenId, now: Timestamp) -> Result<&TokenRecord> {
        self.find(id, now)
            .filter(|record| record.is_active(now))
            .ok_or_else(Error::not_found)
    }

    fn insert(&mut self, record: TokenRecord, now: Timestamp) -> Result<()> {
        if self.find(&record.id, now).is_some() {
            return Err(Error::already_exists());
        }
        self.remove(&record.id);
        for anchor in Anchor::ALL {
            if let Some(value) = anchor.of(&record) {
                self.anchored.insert((anchor, value.clone(), record.id));
            }
        }
        self.expiring.insert((record.expires_at, record.id));
        self.records.insert(
            record.id,
            Slot {
                record,
                revocation: None,
            },
        );
        Ok(())
    }

    fn remove(&mut self, id: &TokenId) {
        let Some(Slot { record, revocation }) = self.records.remove(id) else {
            return;
        };
        self.forget_anchors(&record);
        self.expiring.remove(&(record.expires_at, record.id));
        if let Some(number) = revocation {
            self.revoked.remove(&number);
        }
    }

    fn forget_anchors(&mut self, record: &TokenRecord) {
        for anchor in Anchor::ALL {
            if let Some(value) = anchor.of(record) {
                self.anchored.remove(&(anchor, value.clone(), record.id));
            }
        }
    }

    fn revoke(&mut self, id: &TokenId, at: Timestamp, successor: Option<TokenId>) -> Result<()> {
        let record = self.find_active(id, at)?.clone();
        self.forget_anchors(&record);
        self.revocations += 1;
        self.revoked.insert(self.revocations, *id);
        let state = TokenState::Revoked { at, successor };
        let slot = Slot {
            record: TokenRecord { state, ..record },
            revocation: Some(self.revocations),
        };
        self.records.insert(*id, slot);
        Ok(())
    }

    /// Active records that match, with ids after the given one.
    fn matching<'a>(
        &'a self,
        filter: &'a TokenFilter,
        after: Option<TokenId>,
        now: Timestamp,
    ) -> Result<impl Iterator<Item = &'a TokenRecord>> {
        let (anchor, value) = filter.check()?;
        let id = after.unwrap_or(TokenId::from_bytes([0; TokenId::LEN]));
        let start = (anchor, value.clone(), id);
        let start = if after.is_some() {
            Excluded(start)
        } else {
            Included(start)
        };
        Ok(self
            .anchored
            .range((start, Unbounded))
            .take_while(move |(a, v, _)| *a == anchor && v == value)
            .filter_map(move |(_, _, id)| self.find_active(id, now).ok())
            .filter(|record| filter.matches(record)))
    }
}

#[async_trait]
impl TokenDriver for MemoryDriver {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        record.check_new(&self.limits)?;
        let mut store = self.store();
        store.insert(record, self.clock.now())
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        self.store().find_active(id, self.clock.now()).cloned()
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        let mut store = self.store();
        store.revoke(id, self.clock.now(), None)
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let mut store = self.store();
        let now = self.clock.now();
        let ids: Vec<_> = store
            .matching(filter, None, now)?
            .map(|record| record.id)
            .collect();
        ids.iter().try_for_each(|id| store.revoke(id, now, None))?;
        Ok(ids)
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        filter.check()?;
        let cursors = Cursors::of_list(self.id, filter);
        let after = page
            .cursor()
            .map(|cursor| cursors.position(cursor))
            .transpose()?;
        let store = self.store();
        let after = after.map(TokenId::from_bytes);
        let mut found = store.matching(filter, after, self.clock.now())?;
        let items: Vec<_> = found.by_ref().take(page.limit()).cloned().collect();
        let cursor = match items.last() {
            Some(last) => Some(cursors.at(last.id.as_bytes())),
            None => page.cursor().cloned(),
        };
        Ok(Page {
            more: found.next().is_some(),
            items,
            cursor,
        })
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let cursors = Cursors::of_list_revoked(self.id);
        let after = match page.cursor() {
            Some(cursor) => u64::from_be_bytes(cursors.position(cursor)?),
            None => 0,
        };
        let store = self.store();
        let now = self.clock.now();
        let mut found = store
            .revoked
            .range((Excluded(after), Unbounded))
            .filter_map(|(number, id)| Some((*number, revoked_token(store.find(id, now)?)?)));
        let seen: Vec<_> = found.by_ref().take(page.limit()).collect();
        let cursor = match seen.last() {
            Some((number, _)) => Some(cursors.at(&number.to_be_bytes())),
            None => page.cursor().cloned(),
        };
        let more = found.next().is_some();
        Ok(Page {
            items: seen.into_iter().map(|(_, item)| item).collect(),
            cursor,
            more,
        })
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let Replacement {
            id,
            expires_at,
            data,
        } = change;
        self.limits.check_data(&data)?;
        let mut store = self.store();
        let found = store.find_active(&id, self.clock.now())?;
        if found.version != expected_version {
            return Err(Error::conflict(expected_version, found.version));
        }
        let version = expected_version + 1;
        let record = TokenRecord {
            expires_at,
            data,
            version,
            ..found.clone()
        };
        let old_expiry = found.expires_at;
        store.expiring.remove(&(old_expiry, id));
        store.expiring.insert((expires_at, id));
        store.records.insert(
            id,
            Slot {
                record,
                revocation: None,
            },
        );
        Ok(version)
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let mut store = self.store();
        let now = self.clock.now();
        let found = store.find(old, now).ok_or_else(Error::not_found)?;
        if let TokenState::Revoked { at, successor } = found.state {
            return Ok(Rotation::AlreadyUsed { at, successor });
        }
        successor.check_new(&self.limits)?;
        if successor.id == *old {
            return Err(Error::invalid_input(
                "successor",
                "has the id of the old token",
            ));
        }
        let id = successor.id;
        store.insert(successor, now)?;
        store.revoke(old, now, Some(id))?;
        Ok(Rotation::Rotated)
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        let mut store = self.store();
        let now = self.clock.now();
        let mut expired = store.expiring.iter().take_while(|(at, _)| *at <= now);
        let ids: Vec<_> = expired
            .by_ref()
            .take(limit.get() as usize)
            .map(|(_, id)| *id)
            .collect();
        let more = expired.next().is_some();
        ids.iter().for_each(|id| store.remove(id));
        Ok(Flushed {
            removed: ids.len() as u64,
            more,
        })
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        let mut store = self.store();
        let now = self.clock.now();
        let create = |record: TokenRecord| {
            record.check_new(&self.limits)?;
            store.insert(record, now)
        };
        Ok(records.into_iter().map(create).collect())
    }

    async fn check(&self) -> Result<StoreInfo> {
        Ok(StoreInfo {
            driver: "memory",
            location: "this process".to_owned(),
            namespace: "default".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            durability: Durability::Volatile,
            revocation_lag: Duration::ZERO,
            warnings: Vec::new(),
        })
    }
}

fn revoked_token(record: &TokenRecord) -> Option<RevokedToken> {
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
