//! `tokenkeep conformance`.

mod file;
mod folder;
mod server;
mod stores;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokenkeep::{Registry, StoreInfo, StoreUrl, SystemClock};
use tokenkeep_conformance::{CaseInfo, CaseReport, Outcome, Report, RunOptions, Suite};
use tokio::sync::mpsc;

use self::server::Server;
use self::stores::Stores;
use crate::exit::{Exit, Failure};
use crate::output::{Output, printable};
use crate::scratch::Scratch;

/// How long a call may take where the case holds up the store.
const SHORT_TIMEOUT: &str = "5s";

/// How long a case may take on a Cluster: a listing there asks each of a store's shards.
const CASE_TIMEOUT_OF_SHARDS: Duration = Duration::from_secs(600);

/// Run the conformance suite against the backend of a store URL
///
/// Each case has a new store of its own: for `sled:PATH` in a new folder inside PATH, for `sqlite:PATH`
/// in one beside it, for a server in a new namespace; all are removed at the end. What PATH or the server
/// holds already is left alone. Exits with 1 if a case failed. `--format json` prints the report as one
/// object.
///
/// A server is not stopped or killed: cases that do so reach it through a proxy on this machine, and see
/// what a client sees. `sslmode=verify-full` to another machine does not let a proxy through, and the
/// servers of Sentinel and of a Redis Cluster lead past one; these cases are declined then, but on Redis for
/// those that kill the client. The account has to be one that may make and remove namespaces; on MySQL and
/// MariaDB it takes the privilege TRIGGER too, and under a binary log log_bin_trust_function_creators, without
/// which the cases of a server that is read only are declined; on Redis they always are. A password belongs
/// into the file that the URL's `password_file` names.
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    /// The backend to test, such as `memory:` or `sled:PATH`; `--store` may name it as well
    url: Option<StoreUrl>,
    /// Run only the cases whose name, `level::case`, contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print the names of the cases, those of `--filter` if it is given, and run none
    #[arg(long)]
    list: bool,
    /// How many cases run at once; by default as many as there are processors
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
}

#[derive(Serialize)]
struct Named<'a> {
    case: &'a str,
    rules: &'a [&'a str],
}

impl Conformance {
    pub(crate) async fn run(
        self,
        store: Option<&str>,
        output: &mut Output,
        scratch: &mut Option<Scratch>,
    ) -> Result<Exit, Failure> {
        self.check_filter()?;
        if self.list {
            self.names(output)?;
            return Ok(Exit::Done);
        }
        let url = self.url(store)?;
        let registry = Registry::builtin();
        let (info, no_read_only) = probe(&url, &registry, scratch).await?;
        // First, since it takes the folders along that it had to make.
        if let Some(place) = scratch.take() {
            place.clean_up().await;
        }
        let place = scratch.insert(Scratch::beside(&url, "conformance", &registry)?);
        place.note_use();
        let stores = Stores::new(registry, place);
        let _no_more = stores.end_on_drop();
        let suite = Suite::new(info.driver, stores.clone());
        let suite = stores.decline(suite, no_read_only.as_deref())?;
        let suite = match url.scheme() {
            "redis+cluster" => suite.with_case_timeout(CASE_TIMEOUT_OF_SHARDS),
            _ => suite,
        };
        let report = run(suite, self.options(), output).await?;
        if output.is_json() {
            output.json(&report)?;
        } else {
            totals(&report, output)?;
        }
        drop(stores);
        if let Some(place) = scratch.take()
            && let Some(remains) = place.clean_up().await
        {
            output.note(remains)?;
        }
        Ok(if report.is_success() {
            Exit::Done
        } else {
            Exit::Negative
        })
    }

    fn check_filter(&self) -> Result<(), Failure> {
        let Some(filter) = &self.filter else {
            return Ok(());
        };
        if self.cases().next().is_some() {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "--filter: no case has a name with the text `{filter}`"
        )))
    }

    /// The cases that are chosen.
    fn cases(&self) -> impl Iterator<Item = CaseInfo> {
        let text = self.filter.as_deref().unwrap_or("");
        tokenkeep_conformance::cases().filter(move |case| case.full_name().contains(text))
    }

    fn names(&self, output: &mut Output) -> std::io::Result<()> {
        for case in self.cases() {
            let name = case.full_name();
            if output.is_json() {
                output.json(&Named {
                    case: &name,
                    rules: case.rules,
                })?;
            } else {
                output.line(name)?;
            }
        }
        Ok(())
    }

    /// The backend to test. Only what is named on the command line: it is no light matter for a store.
    fn url(&self, store: Option<&str>) -> Result<StoreUrl, Failure> {
        match (&self.url, store) {
            (Some(url), None) => Ok(url.clone()),
            (None, Some(store)) => Ok(store.parse()?),
            (None, None) => Err(Failure::usage(
                "name the backend to test: a URL, or --store URL",
            )),
            (Some(_), Some(_)) => Err(Failure::usage(
                "the backend to test is named twice, by a URL and by --store",
            )),
        }
    }

    fn options(&self) -> RunOptions {
        let mut options = RunOptions::default();
        options.filter.clone_from(&self.filter);
        options.threads = self.threads.unwrap_or(options.threads);
        options
    }
}

/// Opens one store, so that a URL that cannot be used is one error and not one for each case; says
/// what it is, and why it cannot be made to take no writes, if it is a server's and cannot.
async fn probe(
    url: &StoreUrl,
    registry: &Registry,
    scratch: &mut Option<Scratch>,
) -> Result<(StoreInfo, Option<String>), Failure> {
    let place = scratch.insert(Scratch::beside(url, "conformance", registry)?);
    let driver = place.open(registry, Arc::new(SystemClock)).await?;
    let info = driver.check().await?;
    let no_read_only = match place.namespaces() {
        Some(_) => Server::no_read_only(place.url()).await,
        None => None,
    };
    Ok((info, no_read_only))
}

/// The URL for a store that a case holds up: what it waits for is over soon, unless the URL says when.
fn with_short_timeout(url: StoreUrl) -> tokenkeep::Result<StoreUrl> {
    // Memory and a folder are never held up.
    let is_held_up = !matches!(url.scheme(), "memory" | "sled");
    if is_held_up && url.options().text("timeout").is_none() {
        // One meant for the usual timeout may be above this one, which would be refused.
        let url = url.without_option("statement_timeout");
        return url.with_option("timeout", SHORT_TIMEOUT);
    }
    Ok(url)
}

/// How long a call may take on a store of this URL.
fn call_timeout(url: &StoreUrl) -> Duration {
    let given = url.options().duration("timeout").ok().flatten();
    given.unwrap_or(Duration::from_secs(10))
}

/// Runs the suite on a thread of its own, and tells people of each case as it ends.
async fn run(suite: Suite, options: RunOptions, output: &mut Output) -> Result<Report, Failure> {
    let (sender, mut ended) = mpsc::unbounded_channel();
    let running = tokio::task::spawn_blocking(move || {
        suite.run(&options, &mut |case| {
            // Nobody listens any more once the program is ending.
            let _ = sender.send(case.clone());
        })
    });
    while let Some(case) = ended.recv().await {
        if !output.is_json() {
            line(&case, output)?;
            output.flush()?;
        }
    }
    running
        .await
        .map_err(|error| Failure::usage(format!("the suite did not end: {error}")))
}

fn line(case: &CaseReport, output: &mut Output) -> std::io::Result<()> {
    use anstyle::AnsiColor::{Green, Red, Yellow};

    let (colour, word, reason) = match &case.outcome {
        Outcome::Passed => (Green, "passed", None),
        Outcome::Failed { message } => (Red, "FAILED", Some(message)),
        Outcome::Declined { reason } => (Yellow, "declined", Some(reason)),
    };
    let style = colour.on_default();
    let reason = reason.map_or(String::new(), |text| format!(": {}", printable(text)));
    output.line(format_args!(
        "{style}{word:<8}{style:#} {}::{} ({}, {} ms){reason}",
        case.level,
        case.case,
        case.rules.join(" "),
        case.millis,
    ))
}

fn totals(report: &Report, output: &mut Output) -> std::io::Result<()> {
    for problem in &report.problems {
        output.line(format_args!("problem: {}", printable(problem)))?;
    }
    output.line(format_args!(
        "suite {}, driver {}: {} passed, {} failed, {} declined",
        report.suite_version,
        report.driver,
        report.passed(),
        report.failed(),
        report.declined(),
    ))
}
