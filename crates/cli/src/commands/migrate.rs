//! `tokenkeep migrate`.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tokenkeep::{SchemaStatus, SchemaStep, SystemClock};

use crate::exit::{Exit, Failure};
use crate::output::{Output, Table};
use crate::session::Session;

/// Bring the schema of a database store to the newest, step by step, and make the store if need be
///
/// Steps that the store has are left alone, so this may be run again, and by many at once. Stores that
/// are no databases have no schema, and there is nothing to do.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Change nothing, and show which steps would be applied
    #[arg(long, conflicts_with = "status")]
    dry_run: bool,
    /// Change nothing, show the steps, and exit with 1 if the store lacks one
    #[arg(long)]
    status: bool,
}

#[derive(Serialize)]
struct StepLine<'a> {
    namespace: &'a str,
    version: u32,
    name: &'a str,
    applied: bool,
    applied_now: bool,
}

impl Migrate {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let url = &session.config.store.url;
        let status = if self.status || self.dry_run {
            session.registry.schema(url).await?
        } else {
            session.registry.migrate(url, Arc::new(SystemClock)).await?
        };
        let Some(status) = status else {
            output.note(format_args!(
                "a store of {}: has no schema: there is nothing to migrate",
                url.scheme()
            ))?;
            return Ok(Exit::Done);
        };
        if output.is_json() {
            lines(&status, output)?;
        } else {
            output.table(self.table(&status))?;
        }
        Ok(if self.status && !status.is_newest() {
            Exit::Negative
        } else {
            Exit::Done
        })
    }

    fn table(&self, status: &SchemaStatus) -> Table {
        let mut table = Table::new(&["NAMESPACE", "VERSION", "STEP", "STATE"]);
        for step in &status.steps {
            let version = step.version.to_string();
            table.row([&status.namespace, &version, &step.name, self.state(step)]);
        }
        table
    }

    fn state(&self, step: &SchemaStep) -> &'static str {
        match (step.is_applied, step.is_new) {
            (true, true) => "applied now",
            (true, false) => "applied",
            (false, _) if self.dry_run => "would be applied",
            (false, _) => "missing",
        }
    }
}

fn lines(status: &SchemaStatus, output: &mut Output) -> std::io::Result<()> {
    for step in &status.steps {
        output.json(&StepLine {
            namespace: &status.namespace,
            version: step.version,
            name: &step.name,
            applied: step.is_applied,
            applied_now: step.is_new,
        })?;
    }
    Ok(())
}
