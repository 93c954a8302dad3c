//! What the SQL backends have in common.

use tokenkeep_sql::{Migrations, SchemaStatus as SqlStatus, SqlOptions};

use super::{take_limits, take_span};
use crate::{Durability, Result, SchemaStatus, SchemaStep, UrlOptions};

/// The most connections that one store may ask for: more is a slip of the pen.
const MOST_CONNECTIONS: u32 = 10_000;

/// Takes the options that every SQL backend has.
pub(super) fn take_common(given: &mut UrlOptions) -> Result<SqlOptions> {
    let mut options = SqlOptions::default();
    let durabilities = [("sync", Durability::Sync), ("relaxed", Durability::Relaxed)];
    if let Some(durability) = given.choice("durability", &durabilities)? {
        options.durability = durability;
    }
    let migrations = [("auto", Migrations::Auto), ("check", Migrations::Check)];
    if let Some(migrations) = given.choice("migrations", &migrations)? {
        options.migrations = migrations;
    }
    if let Some(size) = given.integer("pool_size")? {
        let size = u32::try_from(size).ok();
        options.pool_size = size
            .filter(|size| (1..=MOST_CONNECTIONS).contains(size))
            .ok_or_else(|| {
                given.fault(format_args!(
                    "has a pool_size that is not between 1 and {MOST_CONNECTIONS}"
                ))
            })?;
    }
    if let Some(timeout) = take_span(given, "timeout")? {
        options.timeout = timeout;
    }
    options.limits = take_limits(given)?;
    Ok(options)
}

/// The status in the manager's words.
pub(super) fn status(status: SqlStatus) -> SchemaStatus {
    let steps = status.steps.into_iter().map(|step| SchemaStep {
        is_applied: step.applied,
        is_new: step.applied_now,
        ..SchemaStep::new(step.version, step.name)
    });
    SchemaStatus::new(status.namespace, steps.collect())
}
