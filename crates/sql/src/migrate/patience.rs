//! How long a step may take: as long as the database is at work on it.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::time::timeout;

use crate::schema::Watch;
use tokenkeep_backend::{Cause, Failure, Outcome};

/// How often in a row the watch may be turned away, as by a server that is full, before the work is
/// given up.
const MAX_REFUSALS: u32 = 10;

/// Waits for work that takes as long as it needs, and no longer than one timeout for a sign that the
/// database is still at it.
pub(super) async fn wait<T>(
    work: impl Future<Output = Outcome<T>>,
    watch: Option<&dyn Watch>,
    longest: Duration,
) -> Outcome<T> {
    let Some(watch) = watch else {
        return work.await;
    };
    let mut work = pin!(work);
    let mut refusals = 0;
    loop {
        if let Ok(outcome) = timeout(longest, &mut work).await {
            return outcome;
        }
        let sign = pin!(timeout(longest, watch.is_there()));
        let sign = match select(work.as_mut(), sign).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right((sign, _)) => sign,
        };
        match sign {
            Ok(Ok(true)) => refusals = 0,
            Ok(Err(failure)) if is_refusal(&failure) && refusals < MAX_REFUSALS => refusals += 1,
            _ => {
                return Err(Failure::lost(
                    "the database fell silent in the middle of a step",
                ));
            }
        }
    }
}

fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Refused(_))
}
