//! The measurements at one size of the store.

use std::error::Error;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokenkeep_benches::{
    Cell, RawSled, Tokens, Work, callers, disk_bytes, median, ratio, resident_bytes, threads,
};
use tokenkeep_core::{
    Clock, ManualClock, SystemClock, Timestamp, TokenDriver, TokenFilter, TokenRecord,
};
use tokenkeep_sled::{SledDriver, SledOptions};
use tokio::runtime::Runtime;

use super::{Bulk, Compared, Figures, Measured};

/// What an operator who follows the docs would give a store of this size.
const CACHE: u64 = 256 << 20;
const BATCH: usize = 1_000;
/// How many calls a loop of creates makes at each number of callers.
const CREATES: [(usize, usize); 3] = [(1, 250), (16, 1_500), (64, 3_000)];
/// Creates hang on the disk, which is in no two moments the same: many short turns, not few long.
const TURNS: usize = 4;
const GETS: [(usize, usize); 3] = [(1, 20_000), (16, 40_000), (64, 40_000)];

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Two stores with the same tokens, and what the measurements share.
struct Bench {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    tokens: Tokens,
    ours: Arc<SledDriver>,
    raw: RawSled,
    size: usize,
    rounds: usize,
    /// The number of the next token that neither store has.
    next: usize,
}

/// Measures one size.
pub(crate) fn size(folder: &Path, size: usize, rounds: usize) -> Fallible<Measured> {
    let ours_folder = TempDir::new_in(folder)?;
    let raw_folder = TempDir::new_in(folder)?;
    let runtime = Runtime::new()?;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let tokens = Tokens::new(clock.now());

    let before = resident_bytes();
    let ours = runtime.block_on(open(ours_folder.path(), &clock))?;
    let started = Instant::now();
    for batch in batches(tokens, 0..size)? {
        for answer in runtime.block_on(ours.create_many(batch))? {
            answer?;
        }
    }
    let load = started.elapsed();
    let memory = resident_bytes().saturating_sub(before);
    let disk = disk_bytes(ours_folder.path())?;
    drop(ours);
    let started = Instant::now();
    let ours = runtime.block_on(open(ours_folder.path(), &clock))?;
    let reopen = started.elapsed();

    let raw = RawSled::open(raw_folder.path(), CACHE).map_err(|error| error as Box<dyn Error>)?;
    for batch in batches(tokens, 0..size)? {
        raw.create(batch).map_err(|error| error as Box<dyn Error>)?;
    }
    let ours = Arc::new(ours);
    let mut bench = Bench {
        runtime,
        clock,
        tokens,
        ours,
        raw,
        size,
        rounds,
        next: size,
    };

    bench.warm_up()?;
    let mut cells = bench.gets()?;
    let bulk = vec![bench.bulk_revocations()?, bench.flushes()?];
    cells.extend(bench.creates()?);
    Ok(Measured {
        tokens: size,
        load_us_per_token: load.as_secs_f64() * 1e6 / size as f64,
        memory_bytes_per_token: memory as f64 / size as f64,
        disk_bytes_per_token: disk as f64 / size as f64,
        reopen_ms: reopen.as_secs_f64() * 1e3,
        cells,
        bulk,
    })
}

async fn open(folder: &Path, clock: &Arc<ManualClock>) -> tokenkeep_core::Result<SledDriver> {
    let options = SledOptions::new(folder).with_cache_capacity(CACHE);
    SledDriver::open(options, Arc::clone(clock) as Arc<dyn Clock>).await
}

fn batches(
    tokens: Tokens,
    numbers: std::ops::Range<usize>,
) -> tokenkeep_core::Result<Vec<Vec<TokenRecord>>> {
    let all: Vec<_> = numbers.collect();
    all.chunks(BATCH)
        .map(|part| part.iter().map(|number| tokens.token(*number)).collect())
        .collect()
}

impl Bench {
    /// Gives numbers of tokens that neither store has.
    fn fresh(&mut self, count: usize) -> usize {
        let first = self.next;
        self.next += count;
        first
    }

    /// Reads every token once: the one store was just opened, the other just filled.
    fn warm_up(&self) -> Fallible<()> {
        for number in 0..self.size {
            let id = Tokens::id(number);
            self.runtime.block_on(self.ours.get(&id))?;
            self.raw.get(&id).map_err(|error| error as Box<dyn Error>)?;
        }
        Ok(())
    }

    fn gets(&self) -> Fallible<Vec<Compared>> {
        let mut cells = Vec::new();
        for (callers_at_once, calls) in GETS {
            let work = Work {
                callers: callers_at_once,
                calls,
            };
            let size = self.size;
            // A step that is prime to the size spreads the reads over all tokens.
            let id = move |number: usize| Tokens::id(number.wrapping_mul(7_919) % size);
            let (mut ours, mut raw) = (Vec::new(), Vec::new());
            for _ in 0..self.rounds {
                let driver = Arc::clone(&self.ours);
                ours.push(self.runtime.block_on(callers(work, move |number| {
                    let driver = Arc::clone(&driver);
                    async move { driver.get(&id(number)).await.map(drop) }
                }))?);
                raw.push(threads(work, |number| {
                    must(self.raw.get(&id(number)).map(drop))
                }));
            }
            cells.push(compared("get", callers_at_once, &ours, &raw));
        }
        Ok(cells)
    }

    fn creates(&mut self) -> Fallible<Vec<Compared>> {
        let mut cells = Vec::new();
        for (callers_at_once, calls) in CREATES {
            let work = Work {
                callers: callers_at_once,
                calls,
            };
            let tokens = self.tokens;
            let (mut ours, mut raw) = (Vec::new(), Vec::new());
            for _ in 0..self.rounds * TURNS {
                let first = self.fresh(calls);
                let driver = Arc::clone(&self.ours);
                ours.push(self.runtime.block_on(callers(work, move |number| {
                    let driver = Arc::clone(&driver);
                    async move { driver.create(tokens.token(first + number)?).await }
                }))?);
                raw.push(threads(work, |number| {
                    must(
                        tokens
                            .token(first + number)
                            .map_err(Into::into)
                            .and_then(|record| self.raw.create([record])),
                    );
                }));
            }
            cells.push(compared("create, durable", callers_at_once, &ours, &raw));
        }
        Ok(cells)
    }

    /// Revokes the 100 tokens of one user.
    fn bulk_revocations(&mut self) -> Fallible<Bulk> {
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for round in 0..self.rounds * 3 {
            let user = format!("bulk-{round}");
            let first = self.fresh(100);
            let records = (first..first + 100)
                .map(|number| self.tokens.token_of(number, &user))
                .collect::<tokenkeep_core::Result<Vec<_>>>()?;
            self.both_create(records)?;
            let filter = TokenFilter::new().with_user(&user)?;
            let started = Instant::now();
            let revoked = self.runtime.block_on(self.ours.delete_tokens(&filter))?;
            ours.push(started.elapsed().as_secs_f64() * 1e3);
            expect(revoked.len(), 100)?;
            let started = Instant::now();
            let revoked = self.raw.delete_tokens(&filter, self.clock.now());
            raw.push(started.elapsed().as_secs_f64() * 1e3);
            expect(revoked.map_err(|error| error as Box<dyn Error>)?, 100)?;
        }
        Ok(bulk("delete_tokens of one user's 100", ours, raw))
    }

    /// Removes 10,000 expired tokens.
    fn flushes(&mut self) -> Fallible<Bulk> {
        const EXPIRED: usize = 10_000;
        let limit = NonZeroU32::new(20_000).ok_or("the limit is 0")?;
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let expires_at = self.clock.now().saturating_add(Duration::from_secs(60));
            let first = self.fresh(EXPIRED);
            for start in (first..first + EXPIRED).step_by(BATCH) {
                let records = (start..start + BATCH)
                    .map(|number| self.expiring(number, expires_at))
                    .collect::<tokenkeep_core::Result<Vec<_>>>()?;
                self.both_create(records)?;
            }
            self.clock.advance(Duration::from_secs(60));
            let started = Instant::now();
            let flushed = self.runtime.block_on(self.ours.flush_expired(limit))?;
            ours.push(started.elapsed().as_secs_f64() * 1e3);
            expect(usize::try_from(flushed.removed)?, EXPIRED)?;
            let started = Instant::now();
            let removed = self.raw.flush_expired(self.clock.now());
            raw.push(started.elapsed().as_secs_f64() * 1e3);
            expect(removed.map_err(|error| error as Box<dyn Error>)?, EXPIRED)?;
        }
        Ok(bulk("flush_expired of 10,000", ours, raw))
    }

    fn expiring(&self, number: usize, at: Timestamp) -> tokenkeep_core::Result<TokenRecord> {
        self.tokens.expiring(number, at)
    }

    fn both_create(&self, records: Vec<TokenRecord>) -> Fallible<()> {
        self.raw
            .create(records.clone())
            .map_err(|error| error as Box<dyn Error>)?;
        for answer in self.runtime.block_on(self.ours.create_many(records))? {
            answer?;
        }
        Ok(())
    }
}

fn compared(operation: &str, callers: usize, ours: &[Cell], raw: &[Cell]) -> Compared {
    let operation = operation.to_owned();
    Compared {
        operation,
        callers,
        ours: figures(ours),
        raw: figures(raw),
        ratio: ratio(ours, raw),
    }
}

fn figures(cells: &[Cell]) -> Figures {
    let micros =
        |of: fn(&Cell) -> Duration| median(cells.iter().map(|c| of(c).as_secs_f64() * 1e6));
    Figures {
        rate: median(cells.iter().map(|cell| cell.rate)),
        p50_us: micros(|cell| cell.p50),
        p99_us: micros(|cell| cell.p99),
    }
}

fn bulk(operation: &str, ours: Vec<f64>, raw: Vec<f64>) -> Bulk {
    Bulk {
        operation: operation.to_owned(),
        ours_ms: median(ours),
        raw_ms: median(raw),
    }
}

/// A raw call that fails ends the benchmark: its figures would be worth nothing.
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("raw sled failed: {error}"))
}

fn expect(found: usize, wanted: usize) -> Fallible<()> {
    if found == wanted {
        Ok(())
    } else {
        Err(format!("{found} tokens instead of {wanted}").into())
    }
}
