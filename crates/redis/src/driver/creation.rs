//! The creation of many tokens, with an answer for each (R14).

use std::sync::atomic::{AtomicBool, Ordering};

use tokenkeep_backend::{Effect, Outcome};
use tokenkeep_core::{Error, Limits, Result, TokenRecord};

use super::core::{Core, lifetime};
use super::scatter::{all_or_error, scatter};
use crate::record::encode;
use crate::reply::{Reply, strange};
use crate::script::CREATE;

/// How many tokens one step stores.
const MAX_STEP: usize = 100;
/// How many bytes of data one step stores, unless a single token has more.
const MAX_STEP_BYTES: usize = 1 << 20;

/// Stores records: those of one shard one after another, so that of two with one id the first wins.
pub(super) async fn create_many(
    core: &Core,
    limits: &Limits,
    records: Vec<TokenRecord>,
) -> Result<Vec<Result<()>>> {
    let checked: Vec<_> = records
        .iter()
        .map(|record| record.check_new(limits))
        .collect();
    let mut shards = vec![Vec::new(); core.keys.len()];
    for (number, record) in records.iter().enumerate() {
        if checked[number].is_ok() {
            shards[core.keys.shard_of(&record.id)].push(number);
        }
    }
    let creation = Creation {
        core,
        records: &records,
        has_stored: AtomicBool::new(false),
    };
    let used = (0..shards.len()).filter(|shard| !shards[*shard].is_empty());
    let outcomes = scatter(used, |shard| creation.in_shard(shard, &shards[shard])).await;
    let has_stored = creation.has_stored.load(Ordering::Relaxed);
    let stored = all_or_error(outcomes, has_stored)?;
    let mut answers = checked;
    for (number, was_stored) in stored.into_iter().flatten() {
        if !was_stored {
            answers[number] = Err(Error::already_exists());
        }
    }
    Ok(answers)
}

struct Creation<'a> {
    core: &'a Core,
    records: &'a [TokenRecord],
    has_stored: AtomicBool,
}

impl Creation<'_> {
    /// Stores the records with these numbers, and tells of each whether it was.
    async fn in_shard(&self, shard: usize, numbers: &[usize]) -> Outcome<Vec<(usize, bool)>> {
        let mut answers = Vec::with_capacity(numbers.len());
        let mut rest = numbers;
        while !rest.is_empty() {
            let (step, later) = rest.split_at(self.step_len(rest));
            answers.extend(self.step(shard, step).await?);
            rest = later;
        }
        Ok(answers)
    }

    /// How many of these records one step takes; at least one.
    fn step_len(&self, numbers: &[usize]) -> usize {
        let mut bytes = 0;
        let fits = |number: &&usize| {
            bytes += self.records[**number].data.len();
            bytes <= MAX_STEP_BYTES
        };
        numbers
            .iter()
            .take(MAX_STEP)
            .take_while(fits)
            .count()
            .max(1)
    }

    async fn step(&self, shard: usize, numbers: &[usize]) -> Outcome<Vec<(usize, bool)>> {
        let now = self.core.now();
        let stored = |number: &usize| {
            let record = &self.records[*number];
            let (value, ttl) = (encode(record), lifetime(record.expires_at, now));
            (record.id, value, ttl)
        };
        let stored: Vec<_> = numbers.iter().map(stored).collect();
        let mut arguments: Vec<&[u8]> = vec![b"", b"0"];
        for (id, value, ttl) in &stored {
            arguments.extend([id.as_bytes(), value.as_slice(), ttl.as_bytes()]);
        }
        let (call, effect) = (self.core.call(), Effect::Writes);
        let reply = self
            .core
            .run(&call, effect, &CREATE, shard, now, &arguments);
        let mut reply = Reply::of(reply.await?)?;
        if reply.len() != numbers.len() {
            return Err(strange());
        }
        let mut answers = Vec::with_capacity(numbers.len());
        for number in numbers {
            answers.push((*number, reply.integer()? == 1));
        }
        let has_stored = answers.iter().any(|(_, was_stored)| *was_stored);
        self.has_stored.fetch_or(has_stored, Ordering::Relaxed);
        Ok(answers)
    }
}
