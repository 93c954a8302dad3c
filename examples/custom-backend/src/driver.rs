//! The trait, on the file and the tables.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep::{
    Clock, Cursors, Durability, Error, ErrorKind, Flushed, Limits, Page, PageRequest, Replacement,
    Result, RevokedToken, Rotation, StoreId, StoreInfo, Timestamp, TokenDriver, TokenFilter,
    TokenId, TokenRecord, TokenState,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::log::Log;
use crate::state::{Change, Entry, State};

/// Keeps tokens in one file. Clones share it (R4).
#[derive(Clone)]
pub struct FileDriver {
    shared: Arc<Shared>,
    timeout: Duration,
}

struct Shared {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    id: StoreId,
    /// Held for the whole of a write: what it saw in the state stays true until it is done.
    log: Mutex<Log>,
    /// Written for a moment, once a change is on disk: a reader never waits for the disk.
    state: RwLock<State>,
}

impl FileDriver {
    /// Opens the file, or makes it; each write may take as long as `timeout`.
    ///
    /// # Errors
    ///
    /// As [`open`](crate::open).
    ///
    /// # Cancel safety
    ///
    /// An empty file may have been made.
    pub async fn open(path: PathBuf, timeout: Duration, clock: Arc<dyn Clock>) -> Result<Self> {
        let open = move || {
            let (log, state, id) = Log::open(&path)?;
            Ok(Shared {
                path,
                clock,
                id,
                log: Mutex::new(log),
                state: RwLock::new(state),
            })
        };
        let shared = Arc::new(off_thread(timeout, open).await?);
        Ok(Self { shared, timeout })
    }

    /// Ends all writing through this driver and its clones; the file is free to be opened again.
    ///
    /// # Errors
    ///
    /// `Indeterminate` if a write under way does not end in time.
    ///
    /// # Cancel safety
    ///
    /// The file is closed all the same.
    pub async fn close(&self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let close = move || {
            let mut log = shared.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.close();
            Ok(())
        };
        off_thread(self.timeout, close).await
    }

    /// Decides on a change, brings it to disk and applies it, in one step (R3, R6, R12). It goes on
    /// to its end even if the future is dropped (R17).
    async fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&State, Timestamp) -> Result<(Change, T)> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let work = move || {
            let mut log = shared.log.lock().unwrap_or_else(PoisonError::into_inner);
            let (change, answer) = decide(&shared.state(), shared.clock.now())?;
            if !(change.put.is_empty() && change.remove.is_empty()) {
                log.append(&change)?;
                let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
                state.apply(change);
            }
            Ok(answer)
        };
        off_thread(self.timeout, work).await
    }
}

impl fmt::Debug for FileDriver {
    /// Says where the tokens are, and not what they hold (R20).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileDriver({})", self.shared.path.display())
    }
}

impl Shared {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the disk on a thread of its own, and not for ever (R16).
async fn off_thread<T: Send + 'static>(
    bound: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let fault = |kind, problem| Error::new(kind, problem).with_driver("file");
    match timeout(bound, spawn_blocking(work)).await {
        Ok(Ok(result)) => result.map_err(|error| error.with_driver("file")),
        Ok(Err(error)) => {
            Err(fault(ErrorKind::Indeterminate, "the work broke off").with_source(error))
        }
        Err(_) => Err(fault(ErrorKind::Indeterminate, "the disk took too long")),
    }
}

fn put(entries: Vec<Entry>) -> Change {
    Change {
        put: entries,
        remove: Vec::new(),
    }
}

const fn active(record: TokenRecord) -> Entry {
    Entry {
        record,
        revocation: None,
    }
}

fn check_new(record: &TokenRecord, state: &State, now: Timestamp) -> Result<()> {
    record.check_new(&Limits::default())?;
    match state.find(&record.id, now) {
        None => Ok(()),
        Some(_) => Err(Error::already_exists()),
    }
}

#[async_trait]
impl TokenDriver for FileDriver {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        self.write(move |state, now| {
            check_new(&record, state, now)?;
            Ok((put(vec![active(record)]), ()))
        })
        .await
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        let now = self.shared.clock.now();
        self.shared.state().find_active(id, now).cloned()
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        let id = *id;
        self.write(move |state, now| {
            let record = state.find_active(&id, now)?;
            Ok((put(state.revoke([record].into_iter(), now, None)), ()))
        })
        .await
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let filter = filter.clone();
        self.write(move |state, now| {
            let revoked = state.revoke(state.matching(&filter, None, now)?, now, None);
            let ids = revoked.iter().map(|entry| entry.record.id).collect();
            Ok((put(revoked), ids))
        })
        .await
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        filter.check()?;
        let cursors = Cursors::of_list(self.shared.id, filter);
        let after = page.cursor().map(|cursor| cursors.position(cursor));
        let after = after.transpose()?.map(TokenId::from_bytes);
        let state = self.shared.state();
        let mut found = state.matching(filter, after, self.shared.clock.now())?;
        let items: Vec<_> = found.by_ref().take(page.limit()).cloned().collect();
        let last = items.last().map(|last| cursors.at(last.id.as_bytes()));
        Ok(Page {
            more: found.next().is_some(),
            cursor: last.or_else(|| page.cursor().cloned()),
            items,
        })
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let cursors = Cursors::of_list_revoked(self.shared.id);
        let after = page.cursor().map(|cursor| cursors.position(cursor));
        let after = after.transpose()?.map_or(0, u64::from_be_bytes);
        let state = self.shared.state();
        let mut found = state.revoked_after(after, self.shared.clock.now());
        let seen: Vec<_> = found.by_ref().take(page.limit()).collect();
        let last = seen
            .last()
            .map(|(number, _)| cursors.at(&number.to_be_bytes()));
        Ok(Page {
            more: found.next().is_some(),
            cursor: last.or_else(|| page.cursor().cloned()),
            items: seen.into_iter().map(|(_, item)| item).collect(),
        })
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        Limits::default().check_data(&change.data)?;
        self.write(move |state, now| {
            let found = state.find_active(&change.id, now)?;
            if found.version != expected_version {
                return Err(Error::conflict(expected_version, found.version));
            }
            let version = expected_version + 1;
            let record = TokenRecord {
                expires_at: change.expires_at,
                data: change.data,
                version,
                ..found.clone()
            };
            Ok((put(vec![active(record)]), version))
        })
        .await
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let old = *old;
        self.write(move |state, now| {
            let found = state.find(&old, now).ok_or_else(Error::not_found)?;
            if let TokenState::Revoked { at, successor } = found.state {
                return Ok((Change::default(), Rotation::AlreadyUsed { at, successor }));
            }
            if successor.id == old {
                return Err(Error::invalid_input(
                    "successor",
                    "has the id of the old token",
                ));
            }
            check_new(&successor, state, now)?;
            let mut entries = state.revoke([found].into_iter(), now, Some(successor.id));
            entries.push(active(successor));
            Ok((put(entries), Rotation::Rotated))
        })
        .await
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        self.write(move |state, now| {
            let mut expired = state.expired(now);
            let remove: Vec<_> = expired.by_ref().take(limit.get() as usize).collect();
            let flushed = Flushed {
                removed: remove.len() as u64,
                more: expired.next().is_some(),
            };
            let put = Vec::new();
            Ok((Change { put, remove }, flushed))
        })
        .await
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        self.write(move |state, now| {
            let mut created = BTreeSet::new();
            let mut entries = Vec::new();
            let mut create = |record: TokenRecord| {
                check_new(&record, state, now)?;
                if created.contains(&record.id) {
                    return Err(Error::already_exists());
                }
                if !record.is_expired(now) {
                    created.insert(record.id);
                }
                entries.push(active(record));
                Ok(())
            };
            let answers = records.into_iter().map(&mut create).collect();
            Ok((put(entries), answers))
        })
        .await
    }

    async fn check(&self) -> Result<StoreInfo> {
        Ok(StoreInfo {
            driver: "file",
            location: self.shared.path.display().to_string(),
            namespace: "default".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            durability: Durability::Sync,
            revocation_lag: Duration::ZERO,
            warnings: Vec::new(),
        })
    }
}
