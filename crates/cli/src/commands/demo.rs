//! `tokenkeep demo`.

mod bulk;
mod clock;
mod crowd;
mod ledger;
mod life;
mod plan;
mod step;

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use tokenkeep::{Clock, ManagerOptions, TokenManager};

use self::clock::AheadClock;
use self::ledger::Ledger;
use self::plan::Plan;
use self::step::{Narrator, Step};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::scratch::Scratch;
use crate::session::Session;

/// Tell the whole life of some 10,000 tokens, with figures, on the chosen store
///
/// Tokens are issued, validated, rotated, revoked by user, tenant, domain, trust and consumer, listed
/// as revoked; then time moves on, they expire and are flushed. Each step compares what the store
/// says with a count kept apart from it; the program exits with 1 if they differ.
///
/// The demo has a place of its own beside your tokens, which it does not touch: a new folder inside an
/// embedded store's folder or beside its file, or a new namespace of a server. It is removed at the end.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many tokens
    #[arg(long, value_name = "COUNT", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    tokens: u32,
}

impl Demo {
    pub(crate) async fn run(
        self,
        session: &Session,
        output: &mut Output,
        scratch: &mut Option<Scratch>,
    ) -> Result<Exit, Failure> {
        let started = Instant::now();
        let place = Scratch::beside(&session.config.store.url, "demo", &session.registry)?;
        let place = scratch.insert(place);
        let url = place.url().clone();
        let clock = Arc::new(AheadClock::default());
        let shown: Arc<dyn Clock> = Arc::<AheadClock>::clone(&clock);
        let driver = place.open(&session.registry, Arc::clone(&shown)).await?;
        let mut narrator = Narrator::new(output);
        narrator.open(&driver.check().await?, &url)?;
        let manager = TokenManager::new(driver, shown, ManagerOptions::default())?;
        let life = Life {
            manager: Arc::new(manager),
            clock,
            ledger: Ledger::default(),
            plan: Plan::new(self.tokens as usize),
        };
        let is_right = tell(life, &mut narrator).await?;
        let remains = match scratch.take() {
            Some(scratch) => scratch.clean_up().await,
            None => None,
        };
        narrator.close(is_right, started.elapsed(), remains)?;
        Ok(if is_right { Exit::Done } else { Exit::Negative })
    }
}

/// The tokens of the demo, and what is known of them apart from the store.
struct Life {
    manager: Arc<TokenManager>,
    clock: Arc<AheadClock>,
    ledger: Ledger,
    plan: Plan,
}

/// Goes through all steps, up to the first whose figures are wrong; the store is closed then.
async fn tell(mut life: Life, narrator: &mut Narrator<'_>) -> Result<bool, Failure> {
    Ok(narrator.tell(&life.issue().await?)?
        && narrator.tell(&life.validate().await?)?
        && narrator.tell(&life.rotate().await?)?
        && narrator.tell(&life.revoke().await?)?
        && narrator.tell(&life.list_revoked().await?)?
        && narrator.tell(&life.expire_some().await?)?
        && narrator.tell(&life.expire_all().await?)?)
}
