//! Single calls at several numbers of callers, ours and raw in turns.

use std::error::Error;
use std::sync::Arc;

use tokenkeep_benches::{Cell, Compared, IndexesLive, RawRedis, RawResult, Tokens, Work, callers};
use tokenkeep_core::{Result, TokenDriver, TokenRecord};

use super::stores::Stores;

type Fallible<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many callers there are, and how many calls one turn makes.
const GETS: [(usize, usize); 3] = [(1, 10_000), (16, 60_000), (64, 100_000)];
const WRITES: [(usize, usize); 3] = [(1, 2_000), (16, 8_000), (64, 12_000)];

/// What the two sides of a comparison are.
type Ours = Arc<dyn TokenDriver>;
type Raw = Arc<RawRedis>;

/// Reads all over the store.
pub(crate) async fn gets(stores: &Stores, rounds: usize) -> Fallible<Vec<Compared>> {
    let mut all = Vec::new();
    for (callers, calls) in GETS {
        let work = Work { callers, calls };
        let mut compared = empty("get", callers);
        for _ in 0..rounds {
            let (ours, raw) = both(stores);
            compared
                .ours
                .push(get_ours(work, ours, stores.store.size).await?);
            compared
                .raw
                .push(get_raw(work, raw, stores.store.size).await?);
        }
        all.push(compared);
    }
    Ok(all)
}

async fn get_ours(work: Work, driver: Ours, size: usize) -> Result<Cell> {
    callers(work, move |number| {
        let driver = Arc::clone(&driver);
        async move { driver.get(&spread(number, size)).await.map(drop) }
    })
    .await
}

async fn get_raw(work: Work, client: Raw, size: usize) -> Result<Cell> {
    callers(work, move |number| {
        let client = Arc::clone(&client);
        async move {
            let found = must(client.get(&spread(number, size)).await);
            assert!(found.is_some(), "the raw client found no token");
            Ok(())
        }
    })
    .await
}

/// A step that is prime to the size spreads the reads over all tokens.
fn spread(number: usize, size: usize) -> tokenkeep_core::TokenId {
    Tokens::id(number.wrapping_mul(7_919) % size)
}

/// Stores new tokens one by one and revokes them one by one.
pub(crate) async fn writes(stores: &mut Stores, rounds: usize) -> Fallible<Vec<Compared>> {
    let (mut creates, mut leaks, mut revokes) = (Vec::new(), Vec::new(), Vec::new());
    for (callers, calls) in WRITES {
        let work = Work { callers, calls };
        let mut created = empty("create", callers);
        let mut leaky = empty("create, raw leaves indexes behind", callers);
        let mut revoked = empty("revoke", callers);
        for _ in 0..rounds {
            let first = stores.store.fresh(calls);
            let tokens = stores.store.tokens;
            let (ours, raw) = both(stores);
            let records = move |number| tokens.token(first + number);
            created.ours.push(create_ours(work, ours, records).await?);
            let lives = IndexesLive::AsLongAsNeeded;
            let cell = create_raw(work, Arc::clone(&raw), records, lives).await?;
            created.raw.push(cell);
            let other = stores.store.fresh(calls);
            let records = move |number| tokens.token(other + number);
            let cell = create_raw(work, raw, records, IndexesLive::ForEver).await?;
            leaky.raw.push(cell);
            let (ours, raw) = both(stores);
            revoked.ours.push(revoke_ours(work, ours, first).await?);
            revoked.raw.push(revoke_raw(work, raw, first).await?);
        }
        leaky.ours.clone_from(&created.ours);
        creates.push(created);
        leaks.push(leaky);
        revokes.push(revoked);
    }
    creates.extend(leaks);
    creates.extend(revokes);
    Ok(creates)
}

async fn create_ours(
    work: Work,
    driver: Ours,
    record: impl Fn(usize) -> Result<TokenRecord> + Send + Sync + Copy + 'static,
) -> Result<Cell> {
    callers(work, move |number| {
        let driver = Arc::clone(&driver);
        async move { driver.create(record(number)?).await }
    })
    .await
}

async fn create_raw(
    work: Work,
    client: Raw,
    record: impl Fn(usize) -> Result<TokenRecord> + Send + Sync + Copy + 'static,
    lives: IndexesLive,
) -> Result<Cell> {
    callers(work, move |number| {
        let client = Arc::clone(&client);
        async move {
            let was_stored = must(client.create(&record(number)?, lives).await);
            assert!(was_stored, "the raw client found the id taken");
            Ok(())
        }
    })
    .await
}

async fn revoke_ours(work: Work, driver: Ours, first: usize) -> Result<Cell> {
    callers(work, move |number| {
        let driver = Arc::clone(&driver);
        async move { driver.delete(&Tokens::id(first + number)).await }
    })
    .await
}

async fn revoke_raw(work: Work, client: Raw, first: usize) -> Result<Cell> {
    callers(work, move |number| {
        let client = Arc::clone(&client);
        async move {
            let was_there = must(client.revoke(&Tokens::id(first + number)).await);
            assert!(was_there, "the raw client found no token");
            Ok(())
        }
    })
    .await
}

fn both(stores: &Stores) -> (Ours, Raw) {
    (Arc::clone(&stores.store.driver), Arc::clone(&stores.raw))
}

const fn empty(operation: &'static str, callers: usize) -> Compared {
    Compared {
        operation,
        callers,
        ours: Vec::new(),
        raw: Vec::new(),
    }
}

/// A raw call that fails ends the benchmark: its figures would be worth nothing.
fn must<T>(answer: RawResult<T>) -> T {
    answer.unwrap_or_else(|error| panic!("the raw client failed: {error}"))
}
