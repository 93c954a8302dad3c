//! Stores on a PostgreSQL server: a namespace is a schema.
//!
//! Each call is one statement, and so one transaction and one round trip. The texts that are always
//! the same are made in `statements`, those of filters in `filter`; `dialect` sends them.

mod condition;
mod connect;
mod dialect;
mod environment;
mod failure;
mod filter;
mod namespace;
mod record;
mod schema;
mod statements;
mod tls;

use std::sync::Arc;

use tokenkeep_backend::{Call, Effect};
use tokenkeep_core::{Clock, Error, Result};

use self::connect::Server;
use self::dialect::PostgresDialect;
use self::namespace::Namespace;
use self::schema::PostgresSchema;
use crate::driver::{Manner, Placement, SqlDriver};
use crate::migrate::{Migrator, SchemaStatus};
use crate::options::ServerOptions;
use crate::pool::Connector;

/// The driver's name in errors and reports.
const NAME: &str = "postgres";

/// Opens a store, which [`SqlOptions::migrations`](crate::SqlOptions::migrations) may make first.
///
/// # Behavior
///
/// - Any number of nodes may open it at once; one applies what is missing, the others wait.
/// - Where nothing is missing it takes no privilege beyond reading and writing the tables.
///
/// # Errors
///
/// `Config` for options that cannot be used, an account that the server refuses or that may not read the
/// tokens, a database whose encoding is not UTF8, a schema that is not the newest while nothing may be
/// applied, and one that is newer than this program knows.
/// `Unavailable` if the server cannot be used.
///
/// # Cancel safety
///
/// Each step of the schema is applied wholly or not at all.
pub async fn open(options: &ServerOptions, clock: Arc<dyn Clock>) -> Result<SqlDriver> {
    let mut schema = connect(options).await.map_err(in_call("open"))?;
    let migrator = migrator(&mut schema, options);
    migrator
        .open(options.common.migrations, clock.as_ref())
        .await?;
    let namespace = schema.namespace;
    drop(schema.connection);
    let dialect = PostgresDialect::new(options, &namespace).map_err(in_call("open"))?;
    let place = Placement {
        location: location(options),
        namespace: namespace.as_str().to_owned(),
    };
    let dialect = Arc::new(dialect);
    SqlDriver::start(dialect, place, Manner::SERVER, &options.common, clock).await
}

/// Makes the store if it is not there and applies the steps of its schema that are missing.
///
/// # Errors
///
/// As [`open`]; `Indeterminate` if a step may have been applied and may not: look again.
///
/// # Cancel safety
///
/// Each step is applied wholly or not at all.
pub async fn migrate(options: &ServerOptions, clock: &dyn Clock) -> Result<SchemaStatus> {
    let mut schema = connect(options).await.map_err(in_call("migrate"))?;
    migrator(&mut schema, options).migrate(clock).await
}

/// Tells which steps of the schema were applied, and changes nothing.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancel safety
///
/// Reads only.
pub async fn schema_status(options: &ServerOptions) -> Result<SchemaStatus> {
    let mut schema = connect(options).await.map_err(in_call("schema_status"))?;
    migrator(&mut schema, options).status().await
}

/// Removes the store: its tables, and its schema if nothing else stands in it.
///
/// # Behavior
///
/// A store that is not there is no error.
///
/// # Errors
///
/// `Config` if something else stands in the schema, and then nothing is removed. `Unavailable` or
/// `Indeterminate` if the server fails.
///
/// # Cancel safety
///
/// It is removed wholly or not at all.
pub async fn drop_namespace(options: &ServerOptions) -> Result<()> {
    let mut schema = connect(options).await.map_err(in_call("drop_namespace"))?;
    migrator(&mut schema, options).drop_namespace().await
}

async fn connect(options: &ServerOptions) -> Result<PostgresSchema> {
    let namespace = Namespace::new(&options.namespace)?;
    let server = Arc::new(Server::for_schema(options)?);
    let call = Call::within(options.common.timeout);
    let connect = async {
        let connection = server.connect().await?;
        let mut schema = PostgresSchema {
            server: Arc::clone(&server),
            connection,
            namespace,
        };
        schema.check_database().await?;
        Ok(schema)
    };
    let schema = call.bound(connect).await;
    schema.map_err(|failure| failure.into_error(Effect::Reads))
}

fn migrator<'a>(schema: &'a mut PostgresSchema, options: &'a ServerOptions) -> Migrator<'a> {
    Migrator {
        schema,
        driver: NAME,
        namespace: &options.namespace,
        timeout: options.common.timeout,
    }
}

fn location(options: &ServerOptions) -> String {
    format!("{}/{}", options.address(), options.database)
}

fn in_call(operation: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| error.with_driver(NAME).with_operation(operation)
}
