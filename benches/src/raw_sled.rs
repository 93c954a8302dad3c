//! sled by itself: the same entries on the same layout, written one flush a write.

use std::fs::File;
use std::path::Path;

use tokenkeep_core::{Timestamp, TokenFilter, TokenId, TokenRecord};
use tokenkeep_layout::{Change, Key, Sequence, Stored, create, expired, indexed, remove, revoke};

/// The least work that could be right, on the thread of the caller. A fault ends the benchmark.
#[derive(Debug)]
pub struct RawSled {
    db: sled::Db,
    tree: sled::Tree,
    /// A second handle on sled's file, for the device flush that sled leaves out.
    file: File,
}

/// What every call may fail with; a benchmark has no use for more.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

impl RawSled {
    /// Opens an empty folder with this much cache.
    ///
    /// # Errors
    ///
    /// What sled and the file system answer.
    pub fn open(folder: &Path, cache_capacity: u64) -> Result<Self> {
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(cache_capacity);
        let db = config.flush_every_ms(None).open()?;
        let tree = db.open_tree("default")?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(folder.join("db"))?;
        Ok(Self { db, tree, file })
    }

    /// Stores tokens in one batch and one flush.
    ///
    /// # Errors
    ///
    /// What sled and the file system answer.
    pub fn create(&self, records: impl IntoIterator<Item = TokenRecord>) -> Result<()> {
        self.apply(records.into_iter().flat_map(|record| create(record, None)))?;
        self.sync()
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// What sled answers, and `Corrupt`.
    pub fn get(&self, id: &TokenId) -> Result<Option<TokenRecord>> {
        let value = self.tree.get(Key::Record(*id).encode())?;
        Ok(value
            .map(|value| Stored::decode(id, &value))
            .transpose()?
            .map(Stored::into_record))
    }

    /// Revokes what the filter's anchor finds, in one batch and one flush.
    ///
    /// # Errors
    ///
    /// What sled answers, and `Corrupt`.
    pub fn delete_tokens(&self, filter: &TokenFilter, now: Timestamp) -> Result<usize> {
        let (anchor, value) = filter.check()?;
        let mut changes = Vec::new();
        let mut sequence = Sequence::NONE;
        let mut revoked = 0;
        for key in self.tree.range(indexed(anchor, value, None)).keys() {
            let Key::Index(_, _, id) = Key::parse(&key?)? else {
                continue;
            };
            if let Some(stored) = self.stored(&id)? {
                sequence = sequence.next()?;
                changes.extend(revoke(&stored, now, None, sequence));
                revoked += 1;
            }
        }
        self.apply(changes)?;
        self.sync()?;
        Ok(revoked)
    }

    /// Removes what has expired, a thousand a batch, each with its flush.
    ///
    /// # Errors
    ///
    /// What sled answers, and `Corrupt`.
    pub fn flush_expired(&self, now: Timestamp) -> Result<usize> {
        let mut removed = 0;
        loop {
            let mut changes = Vec::new();
            let mut found = 0;
            for key in self.tree.range(expired(now)).keys().take(1_000) {
                let Key::Expiry(_, id) = Key::parse(&key?)? else {
                    continue;
                };
                found += 1;
                changes.extend(self.stored(&id)?.iter().flat_map(remove));
            }
            if found == 0 {
                return Ok(removed);
            }
            removed += found;
            self.apply(changes)?;
            self.sync()?;
        }
    }

    fn stored(&self, id: &TokenId) -> Result<Option<Stored>> {
        let value = self.tree.get(Key::Record(*id).encode())?;
        Ok(value.map(|value| Stored::decode(id, &value)).transpose()?)
    }

    fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<()> {
        let mut batch = sled::Batch::default();
        for Change { key, value } in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(self.tree.apply_batch(batch)?)
    }

    fn sync(&self) -> Result<()> {
        self.db.flush()?;
        Ok(self.file.sync_data()?)
    }
}
