//! Calls that touch many tokens, and what they do to those beside them.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokenkeep_benches::{Cell, Tokens};
use tokenkeep_core::{PageRequest, Result, TokenDriver, TokenFilter};

use super::stores::Stores;

type Fallible<T> = std::result::Result<T, Box<dyn Error>>;

const BATCH: usize = 1_000;
const READERS: usize = 16;
const WRITERS: usize = 4;

/// How long bulk calls took.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(crate) operation: &'static str,
    pub(crate) touched: usize,
    pub(crate) took: Duration,
}

/// Revokes the tokens of one user, and lists the tokens of a tenant.
pub(crate) async fn calls(stores: &mut Stores) -> Fallible<Vec<Bulk>> {
    const OWNED: usize = 10_000;
    let first = stores.fresh(OWNED);
    let tokens = stores.tokens;
    for start in (first..first + OWNED).step_by(BATCH) {
        let batch = (start..start + BATCH).map(|number| tokens.token_of(number, "one-user"));
        stores.store(batch.collect::<Result<_>>()?).await?;
    }
    let user = TokenFilter::new().with_user("one-user")?;
    let started = Instant::now();
    let listed = stores.ours.list(&user, &PageRequest::new(1_000)?).await?;
    let list = started.elapsed();
    let started = Instant::now();
    let revoked = stores.ours.delete_tokens(&user).await?;
    let revoke = started.elapsed();
    let started = Instant::now();
    let feed = stores.ours.list_revoked(&PageRequest::new(1_000)?).await?;
    let feed_took = started.elapsed();
    Ok(vec![
        Bulk {
            operation: "list, one page",
            touched: listed.items.len(),
            took: list,
        },
        Bulk {
            operation: "delete_tokens of one user",
            touched: revoked.len(),
            took: revoke,
        },
        Bulk {
            operation: "list_revoked, one page",
            touched: feed.items.len(),
            took: feed_took,
        },
    ])
}

/// What a flush did to those beside it.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) expired: usize,
    pub(crate) took: Duration,
    /// Reads of the 16 readers, as long without a flush as with it.
    pub(crate) without: Cell,
    pub(crate) with: Cell,
    /// Creates of the 4 writers meanwhile.
    pub(crate) written: usize,
}

/// Flushes expired tokens beside readers and writers; any error ends the benchmark.
pub(crate) async fn flush_beside_load(stores: &mut Stores, expired: usize) -> Fallible<Beside> {
    let at = stores
        .clock_now()
        .saturating_add(Duration::from_secs(3_600));
    let first = stores.fresh(expired);
    for start in (first..first + expired).step_by(BATCH) {
        let tokens = stores.tokens;
        let batch = (start..start + BATCH).map(|number| tokens.expiring(number, at));
        stores.store(batch.collect::<Result<_>>()?).await?;
    }

    let load = Load::start(stores);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (without, _) = load.end().await?;

    stores.advance(Duration::from_secs(3_600));
    let load = Load::start(stores);
    let started = Instant::now();
    let limit = NonZeroU32::new(10_000).ok_or("the limit is 0")?;
    let mut removed = 0;
    loop {
        let flushed = stores.ours.flush_expired(limit).await?;
        removed += usize::try_from(flushed.removed)?;
        if !flushed.more {
            break;
        }
    }
    let took = started.elapsed();
    let (with, written) = load.end().await?;
    if removed != expired {
        return Err(format!("{removed} tokens were flushed instead of {expired}").into());
    }
    Ok(Beside {
        expired,
        took,
        without,
        with,
        written,
    })
}

/// Readers and writers that go on until they are ended.
struct Load {
    is_over: Arc<AtomicBool>,
    readers: Vec<tokio::task::JoinHandle<Result<Vec<Duration>>>>,
    writers: Vec<tokio::task::JoinHandle<Result<usize>>>,
    started: Instant,
}

impl Load {
    fn start(stores: &mut Stores) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let readers = (0..READERS)
            .map(|reader| tokio::spawn(read(stores, reader, Arc::clone(&is_over))))
            .collect();
        // Far more numbers than will be used, so that no two loads share one.
        let next = Arc::new(AtomicUsize::new(stores.fresh(10_000_000)));
        let writers = (0..WRITERS)
            .map(|_| tokio::spawn(write(stores, Arc::clone(&next), Arc::clone(&is_over))))
            .collect();
        Self {
            is_over,
            readers,
            writers,
            started: Instant::now(),
        }
    }

    async fn end(self) -> Fallible<(Cell, usize)> {
        self.is_over.store(true, Ordering::Relaxed);
        let elapsed = self.started.elapsed();
        let mut reads = Vec::new();
        for reader in self.readers {
            reads.append(&mut reader.await??);
        }
        let mut written = 0;
        for writer in self.writers {
            written += writer.await??;
        }
        Ok((Cell::new(elapsed, reads), written))
    }
}

fn read(
    stores: &Stores,
    reader: usize,
    is_over: Arc<AtomicBool>,
) -> impl Future<Output = Result<Vec<Duration>>> + use<> {
    let (driver, size) = (Arc::clone(&stores.ours), stores.size);
    async move {
        let mut times = Vec::new();
        let mut number = reader;
        while !is_over.load(Ordering::Relaxed) {
            let started = Instant::now();
            driver
                .get(&Tokens::id(number.wrapping_mul(7_919) % size))
                .await?;
            times.push(started.elapsed());
            number += READERS;
        }
        Ok(times)
    }
}

fn write(
    stores: &Stores,
    next: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) -> impl Future<Output = Result<usize>> + use<> {
    let (driver, tokens) = (Arc::clone(&stores.ours), stores.tokens);
    async move {
        let mut written = 0;
        while !is_over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            driver.create(tokens.token(number)?).await?;
            written += 1;
        }
        Ok(written)
    }
}
