//! Tokens in an SQLite file.
//!
//! One connection writes, and so do all other processes on the file one at a time; several read
//! beside it. The journal is a write-ahead log, brought to the disk at each commit unless the
//! durability is relaxed.

mod binding;
mod connector;
mod dialect;
mod failure;
mod file;
mod filter;
mod line;
mod links;
mod location;
mod log;
mod mark;
mod patience;
mod rotation;
mod schema;
mod session;
mod statements;

#[cfg(test)]
mod plans;

use std::sync::Arc;

use tokenkeep_backend::{Call, Effect, Failure, Outcome};
use tokenkeep_core::{Clock, Error, ErrorKind, Result};

use self::connector::Connector;
use self::dialect::SqliteDialect;
use self::file::StoreFile;
use self::schema::SqliteSchema;
use crate::driver::{Manner, Placement, SqlDriver};
use crate::migrate::{Migrator, SchemaStatus};
use crate::options::{Migrations, SqliteOptions};

/// The driver's name.
pub(crate) const DRIVER: &str = "sqlite";

/// Opens a store in an SQLite file.
///
/// # Behavior
///
/// - Makes the file, and brings its schema to the newest, as the options say.
/// - Links are followed once. A file that is replaced or removed later is not the store any more: every
///   call is `Unavailable` then, until the store is opened anew.
/// - Other processes may use the file at the same time.
/// - The file is closed soon after the last call on the dropped driver has ended.
///
/// # Errors
///
/// `Config` where there is no such file or folder, or the file is another program's or a newer
/// version's, or is kept without a log where nothing may be changed; `Corrupt` where it is damaged; `Unavailable` where another program holds it.
///
/// # Cancel safety
///
/// Each step of the schema is applied or not.
pub async fn open(options: &SqliteOptions, clock: Arc<dyn Clock>) -> Result<SqlDriver> {
    let connector = Connector::new(options).await?;
    let common = &options.common;
    let mut schema = SqliteSchema::new(&connector);
    let prepared = prepare(&mut schema, &connector, options, &*clock).await;
    schema.close().await;
    let dialect = SqliteDialect::new(&connector, prepared?, common.pool_size)?;
    let manner = Manner {
        read_lanes: common.pool_size.max(1) as usize,
        write_lanes: 1,
        // There is one writer: a step is what a short call waits for.
        flush_step: 100,
        revoke_step: 250,
    };
    let place = Placement {
        location: connector.path().to_owned(),
        namespace: connector.file_name().to_owned(),
    };
    SqlDriver::start(Arc::new(dialect), place, manner, common, clock).await
}

/// Makes the file ready for a driver.
async fn prepare(
    schema: &mut SqliteSchema,
    connector: &Connector,
    options: &SqliteOptions,
    clock: &dyn Clock,
) -> Result<Arc<StoreFile>> {
    let migrations = options.common.migrations;
    migrator(schema, connector, options)
        .open(migrations, clock)
        .await?;
    let ready = async {
        require_log(schema, connector, migrations).await?;
        schema.file().await
    };
    within(options, ready).await.map_err(in_call("open"))
}

async fn require_log(
    schema: &mut SqliteSchema,
    connector: &Connector,
    migrations: Migrations,
) -> Outcome<()> {
    match (schema.has_log().await?, migrations) {
        (true, _) => Ok(()),
        (false, Migrations::Auto) => schema.keep_log().await,
        (false, Migrations::Check) => {
            let path = connector.path();
            let problem = format!("{path} is kept without a log: run `tokenkeep migrate`");
            Err(Failure::refused(ErrorKind::Config, problem))
        }
    }
}

/// Bounds a wait for the file.
async fn within<T>(options: &SqliteOptions, work: impl Future<Output = Outcome<T>>) -> Result<T> {
    let call = Call::within(options.common.timeout);
    call.sent();
    let outcome = call.bound(work).await;
    outcome.map_err(|failure| failure.into_error(Effect::Reads))
}

fn in_call(operation: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| error.with_driver(DRIVER).with_operation(operation)
}

/// Brings the file's schema to the newest, making the file if the options say so, and sees to it that
/// it is kept with a log.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancel safety
///
/// Each step of the schema is applied or not.
pub async fn migrate(options: &SqliteOptions, clock: &dyn Clock) -> Result<SchemaStatus> {
    let connector = Connector::new(options).await?;
    let mut schema = SqliteSchema::new(&connector);
    let status = migrator(&mut schema, &connector, options)
        .migrate(clock)
        .await;
    let status = match status {
        Ok(status) => {
            let kept = require_log(&mut schema, &connector, Migrations::Auto);
            let kept = within(options, kept).await;
            kept.map(|()| status).map_err(in_call("migrate"))
        }
        failed => failed,
    };
    schema.close().await;
    status
}

/// Tells how far the file's schema is; a file that is not there has no step applied.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancel safety
///
/// Reads only.
pub async fn schema_status(options: &SqliteOptions) -> Result<SchemaStatus> {
    let connector = Connector::new(options).await?;
    let mut schema = SqliteSchema::new(&connector);
    let status = migrator(&mut schema, &connector, options).status().await;
    schema.close().await;
    status
}

/// Removes the file and the two beside it; nothing happens where there is none. Waits for another
/// program's write; drivers that have the store open answer `Unavailable` from then on.
///
/// # Errors
///
/// `Config` for a file that is no store of Tokenkeep's, `Unavailable` where another program holds the
/// file or has just replaced it: it stays.
///
/// # Cancel safety
///
/// The file is removed or not. If the process ends amid it, the file may remain without its latest
/// writes.
pub async fn drop_namespace(options: &SqliteOptions) -> Result<()> {
    let connector = Connector::new(options).await?;
    let mut schema = SqliteSchema::new(&connector);
    migrator(&mut schema, &connector, options)
        .drop_namespace()
        .await
}

fn migrator<'a>(
    schema: &'a mut SqliteSchema,
    connector: &'a Connector,
    options: &SqliteOptions,
) -> Migrator<'a> {
    Migrator {
        schema,
        driver: DRIVER,
        namespace: connector.path(),
        timeout: options.common.timeout,
    }
}
