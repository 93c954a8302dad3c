//! What is told of a difference that random calls found.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use libtest_mimic::{Failed, Trial};
use tokenkeep_conformance::{Outcome, Owned, from_fn};
use tokenkeep_core::{Error, Result, TokenDriver, TokenId};

use crate::fault::{Broken, Fault, Sound};
use crate::run;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "the calls told repeat the difference",
        the_calls_told_repeat_the_difference,
    )]
}

/// The third token that is revoked is said to be absent.
#[derive(Debug, Default)]
struct TheThirdIsDenied(AtomicU64);

#[async_trait]
impl Fault for TheThirdIsDenied {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        sound.driver.delete(id).await?;
        match self.0.fetch_add(1, Ordering::SeqCst) {
            2 => Err(Error::not_found()),
            _ => Ok(()),
        }
    }
}

/// Each needed call is there, though calls of earlier rows would have done, and none is there that
/// came later or is not needed.
fn the_calls_told_repeat_the_difference() -> Result<(), Failed> {
    let backend = from_fn(|clock| async { Ok(Owned::new(Broken::<TheThirdIsDenied>::new(clock))) });
    let case = "contract::random_calls_answer_as_the_reference_does";
    let Outcome::Failed { message } = run(backend, case)?.outcome else {
        return Err("the fault was not found".into());
    };
    let (difference, calls) = message
        .split_once("by these calls on an empty store:")
        .ok_or_else(|| format!("no calls are told: {message}"))?;
    let calls: Vec<_> = calls.lines().filter(|line| line.contains(". ")).collect();
    let deletes = |call: &&&str| call.contains(". Delete(");
    let told = difference.contains("(R1, R6): delete")
        && calls.len() < 8
        && calls.iter().filter(deletes).count() == 3
        && calls.last().as_ref().is_some_and(deletes);
    if told { Ok(()) } else { Err(message.into()) }
}
