//! The cached list of revoked tokens (M5).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::{Clock, Error, Result, RevokedToken, Timestamp, TokenDriver, TokenDriverExt};

/// Serves the list of revoked tokens from memory, as long as it may.
///
/// Callers share the reading that is current. To invalidate is to make a fresh reading the current
/// one, so what an older one brings, however late, is never served to a caller who came after.
#[derive(Debug)]
pub(crate) struct RevocationCache {
    time_to_live: Duration,
    current: Mutex<Arc<Reading>>,
}

/// One reading of the list: not begun, under way, or done.
#[derive(Debug, Default)]
struct Reading(OnceCell<Result<List>>);

#[derive(Clone, Debug)]
struct List {
    tokens: Arc<[RevokedToken]>,
    /// The clock just before the store was asked.
    read_at: Timestamp,
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
        *self.current() = Arc::default();
    }

    /// The list, read by this caller, by another, or earlier.
    pub(crate) async fn list(
        &self,
        driver: &dyn TokenDriver,
        clock: &dyn Clock,
    ) -> Result<Arc<[RevokedToken]>> {
        let reading = self.usable_reading(clock.now());
        // All who waited share a failure too, so that nobody waits for a row of timeouts.
        match reading.0.get_or_init(|| List::read(driver, clock)).await {
            Ok(list) => Ok(self.without_expired(&reading, list, clock.now())),
            Err(error) => Err(copy_of(error)),
        }
    }

    /// The current reading, or a new one in its place if it is too old or failed.
    fn usable_reading(&self, now: Timestamp) -> Arc<Reading> {
        let mut current = self.current();
        let is_stale = match current.0.get() {
            None => false,
            Some(Ok(list)) => {
                // A clock that was set back proves nothing about the list's age.
                now < list.read_at || now.saturating_since(list.read_at) >= self.time_to_live
            }
            Some(Err(_)) => true,
        };
        if is_stale {
            *current = Arc::default();
        }
        Arc::clone(&current)
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
        let list = List::new(unexpired.cloned().collect(), list.read_at);
        let tokens = Arc::clone(&list.tokens);
        let mut current = self.current();
        // It may have been invalidated while this caller waited for it.
        if Arc::ptr_eq(&current, reading) {
            *current = Arc::new(Reading(OnceCell::new_with(Some(Ok(list)))));
        }
        tokens
    }

    fn current(&self) -> MutexGuard<'_, Arc<Reading>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    async fn read(driver: &dyn TokenDriver, clock: &dyn Clock) -> Result<Self> {
        let read_at = clock.now();
        let tokens = driver.list_all_revoked().await?;
        Ok(Self::new(tokens.into(), read_at))
    }

    fn new(tokens: Arc<[RevokedToken]>, read_at: Timestamp) -> Self {
        let expiries = tokens.iter().map(|token| token.expires_at);
        Self {
            first_expiry: expiries.min().unwrap_or(Timestamp::MAX),
            tokens,
            read_at,
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
