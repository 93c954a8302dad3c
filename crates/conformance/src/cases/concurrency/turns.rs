//! Short calls get their turn beside a long one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokenkeep_core::{Result, TokenRecord};
use tokio::task::{JoinError, JoinSet};

use crate::case::cases;
use crate::check::{Check, Failure};
use crate::context::Context;
use crate::probe::Driver;

cases! { Concurrency:
    short_calls_get_their_turn_beside_a_long_create_many [R14 R16],
}

/// How many tokens the long call creates.
const LONG: usize = 2_000;

/// How many bytes of data each of them has: 32 MB in all.
const DATA: usize = 16 * 1024;

/// How many callers make short calls meanwhile, each one after the other.
const CALLERS: usize = 4;

/// How many short calls have to begin and end while the long one is under way. A store that keeps
/// them waiting ends one of each caller at most: what was ahead of the long call.
const ENOUGH: usize = 2 * CALLERS;

/// A long call that ends so soon kept nobody waiting, though it may have let nobody pass.
const SOON: Duration = Duration::from_millis(100);

/// How often it is tried: the threads of a busy machine may be kept waiting by others.
const TRIES: usize = 5;

async fn short_calls_get_their_turn_beside_a_long_create_many(ctx: Context) -> Check {
    let mut all = Vec::new();
    for number in 0..TRIES {
        let (turns, took) = turns_beside_a_long_call(&ctx, number).await?;
        if turns >= ENOUGH || took < SOON {
            return Ok(());
        }
        all.push(format!("{turns} beside one of {took:?}"));
    }
    Err(Failure::new(format!(
        "too few short calls ended beside a long one: {}",
        all.join(", ")
    )))
}

/// How many short calls began and ended while the long one was under way, and how long that was.
async fn turns_beside_a_long_call(ctx: &Context, number: usize) -> Check<(usize, Duration)> {
    let records = (0..LONG)
        .map(|_| Ok(ctx.record("bulk")?.with_data(vec![7; DATA])))
        .collect::<Check<Vec<_>>>()?;
    let (begun, ended) = (Flag::default(), Flag::default());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let user = format!("short {number} {caller}");
        let (driver, mint) = (ctx.driver(), ctx.minter(&user, "short"));
        let (begun, ended) = (begun.clone(), ended.clone());
        callers.spawn(async move {
            let mut turns = 0;
            while !ended.is_set() {
                let beside = begun.is_set();
                let record = mint()?;
                let id = record.id;
                driver.create(record).await?;
                turns += usize::from(beside && !ended.is_set());
                let beside = begun.is_set();
                driver.delete(&id).await?;
                turns += usize::from(beside && !ended.is_set());
                tokio::task::yield_now().await;
            }
            Check::Ok(turns)
        });
    }
    let driver = ctx.driver();
    // A task of its own, so that it and the short calls run on different threads.
    let long = tokio::spawn(async move {
        begun.set();
        let began = Instant::now();
        let created = create_all(&driver, records).await;
        // Whatever the answer, or the callers would go on for ever.
        ended.set();
        created.map(|()| began.elapsed())
    });
    let took = long.await.map_err(ended_early)??;
    let mut turns = 0;
    while let Some(caller) = callers.join_next().await {
        turns += caller.map_err(ended_early)??;
    }
    Ok((turns, took))
}

async fn create_all(driver: &Driver, records: Vec<TokenRecord>) -> Result<()> {
    driver.create_many(records).await?.into_iter().collect()
}

/// Something that has happened, once it is set.
#[derive(Clone, Default)]
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

fn ended_early(error: JoinError) -> Failure {
    Failure::new(format!("a task ended early: {error}"))
}
