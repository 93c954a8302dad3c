//! `tokenkeep config`.

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::session::Session;

/// Print the configuration in effect, with passwords masked
///
/// It is what the config file, the environment and `--store` say together. The store is not opened, and of
/// its URL no more is looked at than the scheme: `check` tells whether the rest can be used.
#[derive(Debug, Args)]
pub(crate) struct ShowConfig {}

impl ShowConfig {
    pub(crate) fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        session.registry.check_scheme(&session.config.store.url)?;
        if output.is_json() {
            output.json(&session.config)?;
        } else {
            output.text(&session.config)?;
        }
        Ok(Exit::Done)
    }
}
