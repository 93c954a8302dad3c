//! The creation of many tokens, with an answer for each.

use std::collections::HashMap;
use std::slice;
use tokenkeep_backend::{Failure, Outcome, after_a_part, write};
use tokenkeep_core::{Error, Limits, Result, Timestamp, TokenId, TokenRecord};

use super::core::{Core, writing};
use crate::gather::MAX_BATCH_BYTES;

/// Stores records one after another, as many at once as may stand in one statement.
pub(super) async fn create_many(
    core: &Core,
    limits: &Limits,
    records: Vec<TokenRecord>,
) -> Result<Vec<Result<()>>> {
    let mut creation = Creation {
        core,
        answers: Vec::with_capacity(records.len()),
        batch: Vec::new(),
        expiries: HashMap::new(),
        bytes: 0,
        now: core.now(),
        has_stored: false,
    };
    for record in records {
        match record.check_new(limits) {
            Ok(()) => creation.add(record).await?,
            Err(error) => creation.answers.push(Some(Err(error))),
        }
    }
    creation.store().await?;
    let unanswered = || Err(Error::already_exists());
    Ok(creation
        .answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect())
}

/// A batch that grows, and the answers so far.
struct Creation<'a> {
    core: &'a Core,
    /// None where the batch will tell.
    answers: Vec<Option<Result<()>>>,
    batch: Vec<TokenRecord>,
    /// When each record of the batch expires.
    expiries: HashMap<TokenId, Timestamp>,
    bytes: usize,
    now: Timestamp,
    has_stored: bool,
}

impl Creation<'_> {
    async fn add(&mut self, record: TokenRecord) -> Result<()> {
        match self.expiries.get(&record.id) {
            // Whether that one is stored or finds another in its place: the id is taken.
            Some(expiry) if *expiry > self.now => {
                self.answers.push(Some(Err(Error::already_exists())));
                return Ok(());
            }
            Some(_) => self.store().await?,
            None => {}
        }
        let is_full = self.batch.len() >= self.core.dialect.max_batch()
            || self.bytes + record.data.len() > MAX_BATCH_BYTES;
        if is_full {
            self.store().await?;
        }
        self.bytes += record.data.len();
        self.expiries.insert(record.id, record.expires_at);
        self.batch.push(record);
        self.answers.push(None);
        Ok(())
    }

    /// Stores the batch and begins the next.
    async fn store(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut self.batch);
        let stored = match self.insert(&records).await {
            Ok(stored) => stored.into_iter().map(answer).collect(),
            Err(failure) if failure.may_be_of_one() => self.insert_singly(&records).await?,
            Err(failure) => return Err(self.failed(failure)),
        };
        let open = self.answers.iter_mut().filter(|answer| answer.is_none());
        for (answer, stored) in open.zip(stored) {
            *answer = Some(stored);
        }
        self.expiries.clear();
        self.bytes = 0;
        self.now = self.core.now();
        Ok(())
    }

    async fn insert(&mut self, records: &[TokenRecord]) -> Outcome<Vec<bool>> {
        let call = self.core.call();
        let now = self.now;
        let stored = write(&call, || self.core.dialect.insert(&call, records, now)).await?;
        self.has_stored |= stored.contains(&true);
        Ok(stored)
    }

    /// Nothing of a batch was stored: a fault that one record has must not become the others'.
    async fn insert_singly(&mut self, records: &[TokenRecord]) -> Result<Vec<Result<()>>> {
        let mut answers = Vec::with_capacity(records.len());
        for record in records {
            match self.insert(slice::from_ref(record)).await {
                Ok(stored) => answers.extend(stored.into_iter().map(answer)),
                Err(failure) if failure.may_be_of_one() => answers.push(Err(writing(failure))),
                Err(failure) => return Err(self.failed(failure)),
            }
        }
        Ok(answers)
    }

    /// The error of the call as a whole.
    fn failed(&self, failure: Failure) -> Error {
        let error = writing(failure);
        match self.has_stored {
            true => after_a_part(error),
            false => error,
        }
    }
}

fn answer(was_stored: bool) -> Result<()> {
    match was_stored {
        true => Ok(()),
        false => Err(Error::already_exists()),
    }
}
