//! Single calls at several numbers of callers, ours and raw in turns.

use std::error::Error;
use std::sync::Arc;

use tokenkeep_benches::{Compared, RawResult, RawSql, Tokens, Work, callers};
use tokenkeep_core::Result;

use super::stores::Stores;

type Fallible<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many callers there are, and how many calls one turn makes.
const CREATES: [(usize, usize); 3] = [(1, 500), (16, 3_000), (64, 6_000)];
const GETS: [(usize, usize); 3] = [(1, 4_000), (16, 20_000), (64, 30_000)];
/// Creates hang on the disk, which is in no two moments the same: many short turns, not few long.
const TURNS: usize = 3;

/// Reads all over the store.
pub(crate) async fn gets(stores: &Stores, rounds: usize) -> Fallible<Vec<Compared>> {
    let mut all = Vec::new();
    for (callers_at_once, calls) in GETS {
        let work = Work {
            callers: callers_at_once,
            calls,
        };
        let size = stores.store.size;
        // A step that is prime to the size spreads the reads over all tokens.
        let id = move |number: usize| Tokens::id(number.wrapping_mul(7_919) % size);
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let driver = Arc::clone(&stores.store.driver);
            ours.push(
                callers(work, move |number| {
                    let driver = Arc::clone(&driver);
                    async move { driver.get(&id(number)).await.map(drop) }
                })
                .await?,
            );
            let client = Arc::clone(&stores.raw);
            raw.push(
                callers(work, move |number| {
                    let client = Arc::clone(&client);
                    async move { found(client.get(&id(number)).await) }
                })
                .await?,
            );
        }
        all.push(Compared {
            operation: "get",
            callers: callers_at_once,
            ours,
            raw,
        });
    }
    Ok(all)
}

/// Stores new tokens, each call durable before it returns.
pub(crate) async fn creates(stores: &mut Stores, rounds: usize) -> Fallible<Vec<Compared>> {
    let mut all = Vec::new();
    for (callers_at_once, calls) in CREATES {
        let work = Work {
            callers: callers_at_once,
            calls,
        };
        let tokens = stores.store.tokens;
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..rounds * TURNS {
            let first = stores.store.fresh(calls);
            let driver = Arc::clone(&stores.store.driver);
            ours.push(
                callers(work, move |number| {
                    let driver = Arc::clone(&driver);
                    async move { driver.create(tokens.token(first + number)?).await }
                })
                .await?,
            );
            let client = Arc::clone(&stores.raw);
            raw.push(
                callers(work, move |number| {
                    let client = Arc::clone(&client);
                    async move { stored(client, &tokens.token(first + number)?).await }
                })
                .await?,
            );
        }
        all.push(Compared {
            operation: "create, durable",
            callers: callers_at_once,
            ours,
            raw,
        });
    }
    Ok(all)
}

async fn stored(client: Arc<dyn RawSql>, record: &tokenkeep_core::TokenRecord) -> Result<()> {
    must(client.create(record).await);
    Ok(())
}

fn found(answer: RawResult<Option<usize>>) -> Result<()> {
    assert!(must(answer).is_some(), "the raw client found no token");
    Ok(())
}

/// A raw call that fails ends the benchmark: its figures would be worth nothing.
fn must<T>(answer: RawResult<T>) -> T {
    answer.unwrap_or_else(|error| panic!("the raw client failed: {error}"))
}
