//! `tokenkeep config`.

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::session::Session;

/// Print the configuration in effect, with passwords masked
///
/// It is what the config file, the environment and `--store` say together. The store is not opened.
#[derive(Debug, Args)]
pub(crate) struct ShowConfig {}

impl ShowConfig {
    pub(crate) fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        if output.is_json() {
            output.json(&session.config)?;
        } else {
            output.text(&session.config)?;
        }
        Ok(Exit::Done)
    }
}
