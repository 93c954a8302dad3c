//! Logs: to standard error, never to standard output.

use std::env;
use std::io;

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// The variable that chooses what is logged, such as `tokenkeep=debug,warn`.
const VARIABLE: &str = "TOKENKEEP_LOG";

/// Starts logging: what the variable says, else `info` if asked to be verbose, else `warn`.
pub(crate) fn start(verbose: bool) -> Result<(), Failure> {
    let usual = if verbose { "info" } else { "warn" };
    let wanted = env::var(VARIABLE).unwrap_or_else(|_| usual.to_owned());
    let filter = EnvFilter::builder()
        .parse(&wanted)
        .map_err(|error| Failure::usage(format!("{VARIABLE} is no log filter: {error}")))?;
    let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(io::stderr)
        // Told on standard error too, by a macro that panics if that cannot be written.
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| Failure::usage(format!("cannot start logging: {error}")))
}
