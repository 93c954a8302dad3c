//! The cached list of revoked tokens (M5).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::{Clock, Error, Result, RevokedToken, Timestamp, TokenDriver, TokenDriverExt};

/// Serves the list of revoked tokens from memory, as long as it may.
///
/// Callers share the reading that is current, under way or done, as long as it is young enough. One
/// that is replaced or dropped, by its age or to invalidate it, is never served to a caller who comes
/// after, however late it brings its list.
#[derive(Debug)]
pub(crate) struct RevocationCache {
    time_to_live: Duration,
    current: Mutex<Option<Arc<Reading>>>,
}

/// One reading of the list: under way or done.
#[derive(Debug)]
struct Reading {
    /// The clock before the store was asked: what was revoked later may be missing.
    began: Timestamp,
    list: OnceCell<Result<List>>,
}

#[derive(Clone, Debug)]
struct List {
    tokens: Arc<[RevokedToken]>,
    /// When the first of the tokens expires.
    first_expiry: Timestamp,
}

/// Invalidates the list when it is dropped: also when the call that revokes failed, or was dropped
/// halfway, and may have been applied.
#[derive(Debug)]
pub(crate) struct InvalidateOnDrop<'a>(&'a RevocationCache);

impl Drop for InvalidateOnDrop<'_> {
    fn drop(&mut self) {
        self.0.invalidate();
    }
}

impl RevocationCache {
    pub(crate) fn new(time_to_live: Duration) -> Self {
        Self {
            time_to_live,
            current: Mutex::default(),
        }
    }

    /// Begins a revocation.
    pub(crate) const fn invalidate_on_drop(&self) -> InvalidateOnDrop<'_> {
        InvalidateOnDrop(self)
    }

    pub(crate) fn invalidate(&self) {
        *self.current() = None;
    }

    /// The list, read by this caller, by another, or earlier.
    pub(crate) async fn list(
        &self,
        driver: &dyn TokenDriver,
        clock: &dyn Clock,
    ) -> Result<Arc<[RevokedToken]>> {
        let reading = self.usable_reading(clock);
        // All who waited share a failure too, so that nobody waits for a row of timeouts.
        match reading.list.get_or_init(|| List::read(driver)).await {
            Ok(list) => Ok(self.without_expired(&reading, list, clock.now())),
            Err(error) => Err(copy_of(error)),
        }
    }

    /// The current reading, or a new one in its place if it is too old or failed.
    fn usable_reading(&self, clock: &dyn Clock) -> Arc<Reading> {
        let mut current = self.current();
        // Asked under the lock, so that no caller is earlier than a reading made by another.
        let now = clock.now();
        if let Some(reading) = &*current
            && self.is_usable(reading, now)
        {
            return Arc::clone(reading);
        }
        let reading = Arc::new(Reading {
            began: now,
            list: OnceCell::new(),
        });
        *current = Some(Arc::clone(&reading));
        reading
    }

    fn is_usable(&self, reading: &Reading, now: Timestamp) -> bool {
        // A clock that was set back proves nothing about the reading's age.
        reading.began <= now
            && now.saturating_since(reading.began) < self.time_to_live
            && !matches!(reading.list.get(), Some(Err(_)))
    }

    fn without_expired(
        &self,
        reading: &Arc<Reading>,
        list: &List,
        now: Timestamp,
    ) -> Arc<[RevokedToken]> {
        if now < list.first_expiry {
            return Arc::clone(&list.tokens);
        }
        let unexpired = list.tokens.iter().filter(|token| now < token.expires_at);
        let list = List::new(unexpired.cloned().collect());
        let tokens = Arc::clone(&list.tokens);
        let mut current = self.current();
        // It may have been invalidated while this caller waited for it.
        if current.as_ref().is_some_and(|it| Arc::ptr_eq(it, reading)) {
            *current = Some(Arc::new(Reading {
                began: reading.began,
                list: OnceCell::new_with(Some(Ok(list))),
            }));
        }
        tokens
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Reading>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    async fn read(driver: &dyn TokenDriver) -> Result<Self> {
        let tokens = driver.list_all_revoked().await?;
        Ok(Self::new(tokens.into()))
    }

    fn new(tokens: Arc<[RevokedToken]>) -> Self {
        let expiries = tokens.iter().map(|token| token.expires_at);
        Self {
            first_expiry: expiries.min().unwrap_or(Timestamp::MAX),
            tokens,
        }
    }
}

/// An error for another caller who waited for the same reading; the cause stays with the first.
fn copy_of(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned());
    if let Some(driver) = error.driver() {
        copy = copy.with_driver(driver);
    }
    if let Some(operation) = error.operation() {
        copy = copy.with_operation(operation);
    }
    copy
}
