//! Random calls in a row, on the store and on core's reference driver side by side.

mod calls;
mod pair;
mod reading;
mod values;

use std::cell::RefCell;
use std::fmt::Write;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;

use self::calls::Call;
use self::pair::Pair;
use crate::case::cases;
use crate::check::{Check, Failure};
use crate::context::Context;
use crate::random::{rounds, seed};

cases! { Contract:
    random_calls_answer_as_the_reference_does [R1 R2 R5 R6 R7 R8 R9 R10 R11 R12 R13 R14],
}

/// How many rows of calls are played unless the environment says otherwise.
const ROUNDS: u32 = 100;

/// How many shorter rows are tried once one has failed, and for how long in milliseconds.
const SHRINK_TRIES: u32 = 2_000;
const SHRINK_TIME: u32 = 30_000;

/// Each answer of the store is what the reference driver answers, but for orders that the contract
/// leaves to the driver. A row of calls that shows a difference is cut down to the shortest one.
async fn random_calls_answer_as_the_reference_does(ctx: Context) -> Check {
    let runtime = Handle::current();
    // Proptest drives its own loop, which waits for each row of calls: not on a thread of the runtime.
    tokio::task::spawn_blocking(move || play_all(&ctx, &runtime))
        .await
        .map_err(|error| Failure::new(format!("the random calls ended early: {error}")))?
}

fn play_all(ctx: &Context, runtime: &Handle) -> Check {
    let seed = seed()?;
    let config = Config {
        cases: rounds(ROUNDS)?,
        failure_persistence: None,
        max_shrink_iters: SHRINK_TRIES,
        max_shrink_time: SHRINK_TIME,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    // A store that passed is empty again and goes on; one that failed is left.
    let idle: RefCell<Option<Pair>> = RefCell::default();
    let play = |calls: Vec<Call>| {
        let found = idle.take();
        let played = runtime.block_on(play_one(ctx, found, &calls));
        let pair = played.map_err(|failure| TestCaseError::fail(failure.to_string()))?;
        idle.replace(Some(pair));
        Ok(())
    };
    match TestRunner::new_with_rng(config, random).run(&calls::calls(), play) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(difference, calls)) => {
            let calls = told(&calls);
            Err(Failure::new(format!(
                "{difference}\nwith seed {seed}, by these calls:{calls}"
            )))
        }
        Err(TestError::Abort(why)) => Err(Failure::new(format!("proptest gave up: {why}"))),
    }
}

async fn play_one(ctx: &Context, pair: Option<Pair>, calls: &[Call]) -> Check<Pair> {
    let mut pair = match pair {
        Some(pair) => pair,
        None => Pair::open(ctx).await?,
    };
    for (number, call) in calls.iter().enumerate() {
        pair.call(call)
            .await
            .map_err(|failure| Failure::new(format!("call {}: {failure}", number + 1)))?;
    }
    pair.finish()
        .await
        .map_err(|failure| Failure::new(format!("after the last call: {failure}")))?;
    Ok(pair)
}

fn told(calls: &[Call]) -> String {
    let numbered = calls.iter().enumerate();
    numbered.fold(String::new(), |mut text, (number, call)| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {}. {call:?}", number + 1);
        text
    })
}
