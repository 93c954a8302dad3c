//! From the arguments to the end of the program.

use std::time::Duration;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::args::{Cli, Command};
use crate::exit::{self, Exit, Failure};
use crate::logging;
use crate::output::{Output, printable, warn};
use crate::scratch::Scratch;
use crate::session::Session;
use crate::signals::interrupted;

/// How long threads are waited for that still work when the program ends.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Runs the program and says how it ended; what went wrong has been told.
pub(crate) fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, and a reader may have gone.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
        }
    };
    let mut remains = None;
    let exit = exit::report(execute(cli, &mut remains));
    if let Some(remains) = remains {
        warn(printable(&remains));
    }
    exit
}

/// Runs the command; leaves word of what it could not remove again.
fn execute(cli: Cli, remains: &mut Option<String>) -> Result<Exit, Failure> {
    logging::start(cli.global.verbose)?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::usage(format!("cannot start threads: {error}")))?;
    let mut scratch = None;
    let ended = runtime.block_on(until_interrupted(cli, &mut scratch));
    if let Some(scratch) = &mut scratch {
        runtime.block_on(scratch.settle());
    }
    shut_down(runtime, &ended, scratch.is_some());
    if let Some(scratch) = scratch {
        *remains = clean_up(scratch);
    }
    ended
}

/// Waits for what is being written and for a scratch store to be closed, but not for a read of
/// standard input that Ctrl-C has ended.
fn shut_down(runtime: Runtime, ended: &Result<Exit, Failure>, has_scratch: bool) {
    if matches!(ended, Ok(Exit::Interrupted)) && !has_scratch {
        runtime.shutdown_background();
    } else {
        runtime.shutdown_timeout(SHUTDOWN);
    }
}

/// Removes the place of a command that ended early, now that nothing works in it any more; says what
/// remains of it.
fn clean_up(scratch: Scratch) -> Option<String> {
    let is_used = scratch.is_used();
    let namespaces = scratch.namespaces();
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let removed = async { tokio::time::timeout(SHUTDOWN, scratch.clean_up()).await };
    let remains = runtime
        .block_on(removed)
        .unwrap_or_else(|_| namespaces?.remaining("the server did not answer in time"));
    remains.filter(|_| is_used)
}

/// Ctrl-C drops the command where it waits; drivers and guards clean up as they are dropped. A
/// command that follows something deals with it itself.
async fn until_interrupted(cli: Cli, scratch: &mut Option<Scratch>) -> Result<Exit, Failure> {
    let mut output = Output::new(cli.global.format);
    let follows = matches!(&cli.command, Command::Revoked(revoked) if revoked.follows());
    let ended = tokio::select! {
        // In this order, so that signals are heard before there is anything to clean up.
        biased;
        () = interrupted(), if !follows => Exit::Interrupted,
        ended = dispatch(cli, &mut output, scratch) => ended?,
    };
    output.flush()?;
    Ok(ended)
}

/// A scratch store is left with the caller, who removes it if the command ends early.
async fn dispatch(
    cli: Cli,
    output: &mut Output,
    scratch: &mut Option<Scratch>,
) -> Result<Exit, Failure> {
    let session = || Session::load(&cli.global);
    match cli.command {
        Command::Create(create) => create.run(&session()?, output).await,
        Command::Validate(validate) => validate.run(&session()?, output).await,
        Command::Show(show) => show.run(&session()?, output).await,
        Command::Revoke(revoke) => revoke.run(&session()?, output).await,
        Command::RevokeTokens(revoke) => revoke.run(&session()?, output).await,
        Command::List(list) => list.run(&session()?, output).await,
        Command::Revoked(revoked) => revoked.run(&session()?, output).await,
        Command::Flush(flush) => flush.run(&session()?, output).await,
        Command::Check(check) => check.run(&session()?, output).await,
        Command::Migrate(migrate) => migrate.run(&session()?, output).await,
        Command::Config(config) => config.run(&session()?, output),
        Command::Conformance(conformance) => {
            let store = cli.global.store.as_deref();
            conformance.run(store, output, scratch).await
        }
        Command::Demo(demo) => demo.run(&session()?, output, scratch).await,
        Command::Completions(completions) => completions.run(output),
    }
}
