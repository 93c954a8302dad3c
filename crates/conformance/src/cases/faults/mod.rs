//! Level faults: the backend does not answer or takes no writes, and comes back.

mod calls;
mod frozen;
mod read_only;
mod recovery;
mod stopped;

use std::time::{Duration, Instant};

use crate::case::Case;
use crate::check::{Check, Failure, chain};
use crate::context::Context;

/// The lists of this level's files.
pub(crate) const FILES: &[&[Case]] = &[frozen::CASES, stopped::CASES, read_only::CASES];

/// How much longer than its timeout a call may take on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Within what time a call has to end.
fn bound(ctx: &Context) -> Duration {
    ctx.store.call_timeout() + SLACK
}

/// Waits until the same driver answers again.
async fn recovered(ctx: &Context) -> Check {
    let bound = ctx.store.call_timeout() * 2 + SLACK;
    let started = Instant::now();
    loop {
        match ctx.driver().check().await {
            Ok(_) => return Ok(()),
            Err(error) if started.elapsed() > bound => {
                let problem = chain(&error);
                return Err(Failure::new(format!(
                    "the backend is back for {bound:?}, but the driver does not use it: {problem}"
                )));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
