//! Tokens in an SQLite file.
//!
//! One connection writes, and so do all other processes on the file one at a time; several read
//! beside it. The journal is a write-ahead log, brought to the disk at each commit unless the
//! durability is relaxed.

mod binding;
mod connector;
mod dialect;
mod failure;
mod filter;
mod schema;
mod session;
mod statements;

#[cfg(test)]
mod plans;

use std::sync::Arc;

use tokenkeep_core::{Clock, Result};

use self::connector::Connector;
use self::dialect::SqliteDialect;
use self::schema::SqliteSchema;
use crate::driver::{Manner, Placement, SqlDriver};
use crate::migrate::{Migrator, SchemaStatus};
use crate::options::SqliteOptions;

/// The driver's name.
pub(crate) const DRIVER: &str = "sqlite";

/// Opens a store in an SQLite file.
///
/// # Behavior
///
/// - Makes the file, and brings its schema to the newest, as the options say.
/// - Other processes may use the file at the same time.
/// - The file is closed soon after the last call on the dropped driver has ended.
///
/// # Errors
///
/// `Config` where there is no such file or folder, or the file is another program's or a newer
/// version's; `Corrupt` where it is damaged; `Unavailable` where another program holds it.
///
/// # Cancel safety
///
/// Each step of the schema is applied or not.
pub async fn open(options: &SqliteOptions, clock: Arc<dyn Clock>) -> Result<SqlDriver> {
    let connector = Connector::new(options)?;
    let common = &options.common;
    let mut schema = SqliteSchema::new(&connector);
    let looked = migrator(&mut schema, &connector, options)
        .open(common.migrations, &*clock)
        .await;
    schema.close().await;
    looked?;
    let dialect = SqliteDialect::new(&connector, common.pool_size)?;
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

/// Brings the file's schema to the newest, making the file if the options say so.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancel safety
///
/// Each step of the schema is applied or not.
pub async fn migrate(options: &SqliteOptions, clock: &dyn Clock) -> Result<SchemaStatus> {
    let connector = Connector::new(options)?;
    let mut schema = SqliteSchema::new(&connector);
    let status = migrator(&mut schema, &connector, options)
        .migrate(clock)
        .await;
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
    let connector = Connector::new(options)?;
    let mut schema = SqliteSchema::new(&connector);
    let status = migrator(&mut schema, &connector, options).status().await;
    schema.close().await;
    status
}

/// Removes the file and the two beside it; nothing happens where there is none.
///
/// # Errors
///
/// `Config` for a file that is no store of Tokenkeep's: it stays.
///
/// # Cancel safety
///
/// The file is removed or not; of the files beside it a part may be.
pub async fn drop_namespace(options: &SqliteOptions) -> Result<()> {
    let connector = Connector::new(options)?;
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
