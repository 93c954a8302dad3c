//! The calls about many tokens, in steps that each are bounded and leave room for short calls (R16).

use std::collections::HashMap;
use std::num::NonZeroU32;

use tokenkeep_core::{
    Error, Flushed, Limits, Result, Timestamp, TokenFilter, TokenId, TokenRecord,
};

use super::core::{Core, after_a_part, attempt, reading, writing};
use crate::gather::MAX_BATCH_BYTES;

/// Revokes what matches, in steps of this size in order of the ids.
pub(super) async fn delete_tokens(
    core: &Core,
    filter: &TokenFilter,
    step: usize,
) -> Result<Vec<TokenId>> {
    let mut revoked = Vec::new();
    let mut after = None;
    loop {
        let now = core.now();
        let call = core.call();
        let looked_at = attempt(&call, || {
            let dialect = &core.dialect;
            dialect.revoke_page(&call, filter, after, step, now)
        })
        .await
        .map_err(writing)?;
        let was_revoked = |(id, was): &(TokenId, bool)| was.then_some(*id);
        revoked.extend(looked_at.iter().filter_map(was_revoked));
        match looked_at.last() {
            Some((last, _)) if looked_at.len() >= step => after = Some(*last),
            _ => return Ok(revoked),
        }
    }
}

/// Removes expired records in steps of this size.
pub(super) async fn flush_expired(core: &Core, limit: NonZeroU32, step: u32) -> Result<Flushed> {
    let limit = u64::from(limit.get());
    let now = core.now();
    let mut removed = 0;
    let part = |removed: u64, error| match removed {
        0 => error,
        _ => after_a_part(error),
    };
    while removed < limit {
        let left = u32::try_from(limit - removed).unwrap_or(step).min(step);
        let call = core.call();
        let gone = attempt(&call, || core.dialect.flush(&call, left, now))
            .await
            .map_err(|failure| part(removed, writing(failure)))?;
        removed += gone;
        if gone < u64::from(left) {
            break;
        }
    }
    let call = core.call();
    let more = attempt(&call, || core.dialect.has_expired(&call, now))
        .await
        .map_err(|failure| part(removed, reading(failure)))?;
    Ok(Flushed { removed, more })
}

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
        let call = self.core.call();
        let now = self.now;
        let insert = || self.core.dialect.insert(&call, &records, now);
        let stored = attempt(&call, insert).await.map_err(|failure| {
            let error = writing(failure);
            match self.has_stored {
                true => after_a_part(error),
                false => error,
            }
        })?;
        self.has_stored |= stored.contains(&true);
        let open = self.answers.iter_mut().filter(|answer| answer.is_none());
        for (answer, stored) in open.zip(stored) {
            *answer = Some(match stored {
                true => Ok(()),
                false => Err(Error::already_exists()),
            });
        }
        self.expiries.clear();
        self.bytes = 0;
        self.now = self.core.now();
        Ok(())
    }
}
