//! `tokenkeep flush`.

use std::num::NonZeroU32;

use clap::Args;
use serde::Serialize;

use super::revoke::tokens;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Progress};
use crate::session::Session;

/// Remove expired tokens from the store
///
/// Safe at any time and on many nodes at once. Ended early, it leaves what is already gone gone.
#[derive(Debug, Args)]
pub(crate) struct Flush {
    /// How many to remove in one go; by default what the configuration says, which is 1000
    #[arg(long, value_name = "COUNT")]
    batch: Option<NonZeroU32>,
}

#[derive(Serialize)]
struct Flushed {
    removed: u64,
}

impl Flush {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let driver = session.driver().await?;
        let progress = Progress::counter("expired tokens removed:");
        let batch = self.batch.unwrap_or(session.config.flush.batch);
        let mut removed = 0;
        loop {
            let flushed = driver.flush_expired(batch).await?;
            removed += flushed.removed;
            progress.add(flushed.removed);
            if !flushed.more {
                break;
            }
        }
        drop(progress);
        if output.is_json() {
            output.json(&Flushed { removed })?;
        } else {
            output.line(format_args!("removed {} that had expired", tokens(removed)))?;
        }
        Ok(Exit::Done)
    }
}
