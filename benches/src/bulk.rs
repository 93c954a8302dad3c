//! Calls that touch many tokens, and what they do to those beside them.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokenkeep_core::{PageRequest, Result, TokenFilter};

use crate::{Cell, Store, Tokens, table};

type Fallible<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const READERS: usize = 16;
const WRITERS: usize = 4;

/// How long a call took that touches many tokens.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    operation: &'static str,
    touched: usize,
    took: Duration,
}

/// Lists and revokes the tokens of one user, and reads the feed of what is revoked.
///
/// # Errors
///
/// What the driver answers.
pub async fn bulk_calls(store: &mut Store) -> Fallible<Vec<Bulk>> {
    const OWNED: usize = 10_000;
    let first = store.fresh(OWNED);
    let tokens = store.tokens;
    let token = |number| tokens.token_of(number, "one-user");
    store.store(first..first + OWNED, token).await?;
    let driver = &store.driver;
    let user = TokenFilter::new().with_user("one-user")?;
    let started = Instant::now();
    let listed = driver.list(&user, &PageRequest::new(1_000)?).await?;
    let list = started.elapsed();
    let started = Instant::now();
    let revoked = driver.delete_tokens(&user).await?;
    let revoke = started.elapsed();
    let started = Instant::now();
    let feed = driver.list_revoked(&PageRequest::new(1_000)?).await?;
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
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    expired: usize,
    took: Duration,
    /// Reads of the 16 readers without a flush.
    without: Cell,
    with: Cell,
    /// Creates of the 4 writers meanwhile.
    written: usize,
}

/// Flushes expired tokens beside readers and writers.
///
/// # Errors
///
/// What the driver answers to any of them.
pub async fn flush_beside_load(store: &mut Store, expired: usize) -> Fallible<Beside> {
    let at = store.now().saturating_add(Duration::from_secs(3_600));
    let first = store.fresh(expired);
    let tokens = store.tokens;
    let token = |number| tokens.expiring(number, at);
    store.store(first..first + expired, token).await?;

    let load = Load::start(store);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (without, _) = load.end().await?;

    store.advance(Duration::from_secs(3_600));
    let load = Load::start(store);
    let started = Instant::now();
    let limit = NonZeroU32::new(10_000).ok_or("the limit is 0")?;
    let mut removed = 0;
    loop {
        let flushed = store.driver.flush_expired(limit).await?;
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
    fn start(store: &mut Store) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let readers = (0..READERS)
            .map(|reader| tokio::spawn(read(store, reader, Arc::clone(&is_over))))
            .collect();
        // Far more numbers than will be used, so that no two loads share one.
        let next = Arc::new(AtomicUsize::new(store.fresh(10_000_000)));
        let writers = (0..WRITERS)
            .map(|_| tokio::spawn(write(store, Arc::clone(&next), Arc::clone(&is_over))))
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
    store: &Store,
    reader: usize,
    is_over: Arc<AtomicBool>,
) -> impl Future<Output = Result<Vec<Duration>>> + use<> {
    let (driver, size) = (Arc::clone(&store.driver), store.size);
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
    store: &Store,
    next: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) -> impl Future<Output = Result<usize>> + use<> {
    let (driver, tokens) = (Arc::clone(&store.driver), store.tokens);
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

/// Prints how long the calls took.
pub fn tell_bulk(calls: &[Bulk]) {
    let rows: Vec<_> = calls
        .iter()
        .map(|call| {
            let millis = call.took.as_secs_f64() * 1e3;
            vec![
                call.operation.to_owned(),
                call.touched.to_string(),
                format!("{millis:.1}"),
                format!("{:.1}", millis * 1e3 / call.touched as f64),
            ]
        })
        .collect();
    let header = ["operation", "tokens", "ms", "us/token"];
    table("Calls that touch many tokens", &header, &rows);
}

/// Prints what a flush did.
pub fn tell_beside(beside: &Beside) {
    let seconds = beside.took.as_secs_f64();
    let row = |what: &str, cell: &Cell| {
        vec![
            what.to_owned(),
            format!("{:.0}", cell.rate),
            format!("{:.0}", cell.p50.as_secs_f64() * 1e6),
            format!("{:.0}", cell.p99.as_secs_f64() * 1e6),
        ]
    };
    let title = format!(
        "A flush of {} expired tokens beside 16 readers and 4 writers took {seconds:.1} s ({:.0} us a \
         token); {} creates ended meanwhile. Reads' p99 is {:.2} times that without a flush.",
        beside.expired,
        seconds * 1e6 / beside.expired as f64,
        beside.written,
        beside.with.p99.as_secs_f64() / beside.without.p99.as_secs_f64(),
    );
    let header = ["reads", "a second", "p50, us", "p99, us"];
    let rows = [
        row("without a flush", &beside.without),
        row("beside it", &beside.with),
    ];
    table(&title, &header, &rows);
}
