//! A disk for the memory driver: a journal of what was written, which is read again after the end
//! and may have lost something.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokenkeep_conformance::{Backend, Store};
use tokenkeep_core::{
    Clock, Flushed, MemoryDriver, Page, PageRequest, Replacement, Result, RevokedToken, Rotation,
    StoreInfo, Timestamp, TokenDriver, TokenFilter, TokenId, TokenRecord,
};

/// What is lost when the store ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Nothing,
    Everything,
    /// More writes than there are writers, so that some of them were acknowledged.
    TheLastWrites,
    Revocations,
    Replaces,
    Successors,
    Flushes,
    OrderOfRevocation,
    Identity,
    /// Writes that are shown already, and not yet in the journal.
    WhatIsUnderWay,
}

/// Opens stores that lose this.
pub(crate) struct Disk(pub(crate) Loss);

/// One write that succeeded.
#[derive(Clone, Debug)]
enum Write {
    Create(TokenRecord),
    Delete(TokenId),
    Replace(Replacement, u64),
    Rotate(TokenId, TokenRecord),
    Flush(NonZeroU32),
}

/// A clock that stands in the past while the journal is read.
#[derive(Debug)]
struct JournalClock {
    present: Arc<dyn Clock>,
    past: Mutex<Option<Timestamp>>,
}

impl Clock for JournalClock {
    fn now(&self) -> Timestamp {
        let past = *self.past.lock().unwrap();
        past.unwrap_or_else(|| self.present.now())
    }
}

/// A driver that writes down what it did.
#[derive(Debug)]
struct Journaled {
    memory: MemoryDriver,
    clock: Arc<JournalClock>,
    journal: Mutex<Vec<(Timestamp, Write)>>,
    loss: Loss,
}

impl Journaled {
    fn new(present: Arc<dyn Clock>, loss: Loss) -> Self {
        let past = Mutex::new(None);
        let clock = Arc::new(JournalClock { present, past });
        Self {
            memory: MemoryDriver::new(Arc::<JournalClock>::clone(&clock)),
            clock,
            journal: Mutex::default(),
            loss,
        }
    }

    async fn note(&self, write: Write) {
        if self.loss == Loss::WhatIsUnderWay {
            // Long enough for a reader to have its turn.
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        }
        self.journal.lock().unwrap().push((self.clock.now(), write));
    }

    /// The driver that finds this journal.
    async fn read_again(&self, journal: Vec<(Timestamp, Write)>) -> Self {
        let next = Self::new(Arc::clone(&self.clock.present), Loss::Nothing);
        for (at, write) in journal {
            *next.clock.past.lock().unwrap() = Some(at);
            // With an entry lost a later one may fail.
            let _ = match write {
                Write::Create(record) => next.create(record).await,
                Write::Delete(id) => next.delete(&id).await,
                Write::Replace(change, version) => next.replace(change, version).await.map(drop),
                Write::Rotate(old, successor) => next.rotate(&old, successor).await.map(drop),
                Write::Flush(limit) => next.flush_expired(limit).await.map(drop),
            };
        }
        *next.clock.past.lock().unwrap() = None;
        next
    }
}

impl Loss {
    fn of(self, mut journal: Vec<(Timestamp, Write)>) -> Vec<(Timestamp, Write)> {
        match self {
            Self::Nothing | Self::Identity | Self::WhatIsUnderWay => {}
            Self::Everything => journal.clear(),
            Self::TheLastWrites => journal.truncate(journal.len().saturating_sub(20)),
            Self::Revocations => journal.retain(|(_, write)| !matches!(write, Write::Delete(_))),
            Self::Replaces => journal.retain(|(_, write)| !matches!(write, Write::Replace(..))),
            Self::Flushes => journal.retain(|(_, write)| !matches!(write, Write::Flush(_))),
            Self::Successors => {
                for (_, write) in &mut journal {
                    if let Write::Rotate(old, _) = write {
                        *write = Write::Delete(*old);
                    }
                }
            }
            Self::OrderOfRevocation => {
                let is_delete = |(_, write): &mut (_, Write)| matches!(write, Write::Delete(_));
                let deletes: Vec<_> = journal.extract_if(.., is_delete).collect();
                journal.extend(deletes.into_iter().rev());
            }
        }
        journal
    }
}

struct JournalStore {
    driver: Arc<Journaled>,
    loss: Loss,
}

#[async_trait]
impl Backend for Disk {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        Ok(Box::new(JournalStore {
            driver: Arc::new(Journaled::new(clock, self.0)),
            loss: self.0,
        }))
    }
}

#[async_trait]
impl Store for JournalStore {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::<Journaled>::clone(&self.driver)
    }

    async fn reopen(&mut self) -> Result<()> {
        self.kill().await
    }

    async fn kill(&mut self) -> Result<()> {
        if self.loss != Loss::Nothing {
            let journal = self.driver.journal.lock().unwrap().clone();
            let mut next = self.driver.read_again(self.loss.of(journal)).await;
            next.loss = self.loss;
            self.driver = Arc::new(next);
        }
        Ok(())
    }
}

#[async_trait]
impl TokenDriver for Journaled {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        self.memory.create(record.clone()).await?;
        self.note(Write::Create(record)).await;
        Ok(())
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        self.memory.get(id).await
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        self.memory.delete(id).await?;
        self.note(Write::Delete(*id)).await;
        Ok(())
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let revoked = self.memory.delete_tokens(filter).await?;
        for id in &revoked {
            self.note(Write::Delete(*id)).await;
        }
        Ok(revoked)
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        self.memory.list(filter, page).await
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        self.memory.list_revoked(page).await
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        let version = self
            .memory
            .replace(change.clone(), expected_version)
            .await?;
        self.note(Write::Replace(change, expected_version)).await;
        Ok(version)
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let rotation = self.memory.rotate(old, successor.clone()).await?;
        if rotation == Rotation::Rotated {
            self.note(Write::Rotate(*old, successor)).await;
        }
        Ok(rotation)
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        let flushed = self.memory.flush_expired(limit).await?;
        self.note(Write::Flush(limit)).await;
        Ok(flushed)
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        let answers = self.memory.create_many(records.clone()).await?;
        for (record, answer) in records.into_iter().zip(&answers) {
            if answer.is_ok() {
                self.note(Write::Create(record)).await;
            }
        }
        Ok(answers)
    }

    async fn check(&self) -> Result<StoreInfo> {
        self.memory.check().await
    }
}
