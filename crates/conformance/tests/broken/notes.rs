//! What a fault remembers of the tokens that went through it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenkeep_core::{TokenId, TokenRecord};

/// What is behind a lock; a fault that panicked has made its test fail already.
pub(crate) fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records by id, as they were created.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<BTreeMap<TokenId, TokenRecord>>);

impl Notes {
    pub(crate) fn all(&self) -> MutexGuard<'_, BTreeMap<TokenId, TokenRecord>> {
        locked(&self.0)
    }

    pub(crate) fn keep(&self, record: &TokenRecord) {
        self.all().insert(record.id, record.clone());
    }

    pub(crate) fn of(&self, id: &TokenId) -> Option<TokenRecord> {
        self.all().get(id).cloned()
    }

    pub(crate) fn has(&self, id: &TokenId) -> bool {
        self.all().contains_key(id)
    }

    pub(crate) fn drop(&self, id: &TokenId) {
        self.all().remove(id);
    }
}
