//! Random calls in a row, on the store and on core's reference driver side by side.

mod calls;
mod pair;
mod reading;
mod values;

use std::fmt::{self, Display, Write};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;

use self::calls::{Call, LOOKS};
use self::pair::Pair;
use crate::case::cases;
use crate::check::{Check, Failure};
use crate::context::Context;
use crate::environment::{rounds, seed};

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
    let play = |calls: Vec<Call>| {
        let played = runtime.block_on(play_one(ctx, &calls));
        played.map_err(|difference| TestCaseError::fail(difference.to_string()))
    };
    match TestRunner::new_with_rng(config, random).run(&calls::calls(), play) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(difference, calls)) => {
            let again = runtime.block_on(play_one(ctx, &calls));
            Err(Failure::new(report(&difference, seed, &calls, again)))
        }
        Err(TestError::Abort(why)) => Err(Failure::new(format!("proptest gave up: {why}"))),
    }
}

/// What a row of calls found, and after which of them.
struct Difference {
    /// How many calls were made; none if all were, and what is left shows the difference.
    made: Option<usize>,
    rules: &'static str,
    failure: Failure,
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.made {
            Some(made) => write!(f, "call {made}")?,
            None => f.write_str("after the last call")?,
        }
        write!(f, " ({}): {}", self.rules, self.failure)
    }
}

/// Plays the calls on a store of their own, with ids and times that are the same for every row, so
/// that the calls alone repeat what they found.
async fn play_one(ctx: &Context, calls: &[Call]) -> Result<(), Difference> {
    let after_all = |failure| Difference {
        made: None,
        rules: LOOKS,
        failure,
    };
    let alone = ctx.anew().await.map_err(after_all)?;
    let mut pair = Pair::new(alone);
    for (number, call) in calls.iter().enumerate() {
        pair.call(call).await.map_err(|failure| Difference {
            made: Some(number + 1),
            rules: call.rules(),
            failure,
        })?;
    }
    pair.finish().await.map_err(after_all)
}

/// Tells a difference by the calls that lead to it: those that were made when they were played again.
fn report(
    first: &impl Display,
    seed: u64,
    calls: &[Call],
    again: Result<(), Difference>,
) -> String {
    match again {
        Err(difference) => {
            let made = difference.made.unwrap_or(calls.len());
            let calls = told(&calls[..made]);
            format!("{difference}\nwith seed {seed}, by these calls on an empty store:{calls}")
        }
        Ok(()) => {
            let calls = told(calls);
            format!(
                "{first}\nwith seed {seed}, by these calls on an empty store, though not when they \
                 were played again:{calls}"
            )
        }
    }
}

fn told(calls: &[Call]) -> String {
    let numbered = calls.iter().enumerate();
    numbered.fold(String::new(), |mut text, (number, call)| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {}. {call:?}", number + 1);
        text
    })
}
