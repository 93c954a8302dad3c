//! Stores on MySQL and MariaDB: each namespace is a database.

mod connect;
mod contents;
mod dialect;
mod failure;
mod filter;
mod flush;
mod insert;
mod message;
mod namespace;
mod read;
mod revoke;
mod revoke_line;
mod revoke_one;
mod rotate;
mod schema;
mod server;
mod settings;
mod statements;
mod tls;
mod transaction;

use std::sync::Arc;

use tokenkeep_backend::{Call, Effect, Failure, Outcome};
use tokenkeep_core::{Clock, Error, Result};

use self::connect::Sessions;
use self::dialect::{MySqlDialect, NAME};
use self::namespace::Namespace;
use self::schema::MySqlSchema;
use self::server::{Family, Server};
use self::statements::Statements;
use crate::driver::{Manner, Placement};
use crate::migrate::Migrator;
use crate::options::ServerOptions;
use crate::pool::{Connector, Pool};
use crate::{SchemaStatus, SqlDriver};

/// Opens a store in a database of a MySQL or MariaDB server.
///
/// # Behavior
///
/// - With [`Migrations::Auto`](crate::Migrations::Auto), makes the database if it is not there and
///   applies the steps that its schema lacks. One that holds something else is refused as it is.
/// - Works on `options.namespace`; `options.database` is not looked at.
///
/// # Errors
///
/// `Config` where the options, the account, the server's version or settings, or the schema cannot be
/// used: MySQL 8.0.1 or MariaDB 10.6 is needed, and for durability `sync` a server that flushes its
/// log at each commit. `Unavailable` if the server cannot be reached.
///
/// # Cancel safety
///
/// The schema may be brought forward by some of its steps.
pub async fn open(options: &ServerOptions, clock: Arc<dyn Clock>) -> Result<SqlDriver> {
    let (mut schema, family) = schema_of(options).await.map_err(in_call("open"))?;
    migrator(&mut schema, options)
        .open(options.common.migrations, &*clock)
        .await?;
    let namespace = schema.close().await;
    let sessions = Sessions::for_calls(options, namespace, family);
    let dialect = MySqlDialect {
        pool: Pool::new(Arc::new(sessions), options.common.pool_size).map_err(in_call("open"))?,
        statements: Statements::new(),
        durability: options.common.durability,
    };
    let place = Placement {
        location: options.address(),
        namespace: options.namespace.clone(),
    };
    SqlDriver::start(
        Arc::new(dialect),
        place,
        Manner::SERVER,
        &options.common,
        clock,
    )
    .await
}

/// Applies the steps that a store's schema lacks, making the database if it is not there.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancel safety
///
/// As [`open`]; the next call goes on where this one stopped.
pub async fn migrate(options: &ServerOptions, clock: &dyn Clock) -> Result<SchemaStatus> {
    let (mut schema, _) = schema_of(options).await.map_err(in_call("migrate"))?;
    let status = migrator(&mut schema, options).migrate(clock).await;
    schema.close().await;
    status
}

/// Tells how far a store's schema is. Changes nothing.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancel safety
///
/// Reads only.
pub async fn schema_status(options: &ServerOptions) -> Result<SchemaStatus> {
    let schema = schema_of(options).await;
    let (mut schema, _) = schema.map_err(in_call("schema_status"))?;
    let status = migrator(&mut schema, options).status().await;
    schema.close().await;
    status
}

/// Removes a store: the whole database, if it is there.
///
/// # Errors
///
/// As [`open`]; `Config` where the database is not a store's, or the account can see that something else
/// stands in it: then nothing is removed. `Indeterminate` if the server's answer was lost.
///
/// # Cancel safety
///
/// The database is removed or not.
pub async fn drop_namespace(options: &ServerOptions) -> Result<()> {
    let schema = schema_of(options).await;
    let (mut schema, _) = schema.map_err(in_call("drop_namespace"))?;
    let dropped = migrator(&mut schema, options).drop_namespace().await;
    schema.close().await;
    dropped
}

/// A connection that looks after the schema of the namespace, to a server that can be used.
async fn schema_of(options: &ServerOptions) -> Result<(MySqlSchema, Family)> {
    let namespace = Namespace::new(&options.namespace)?;
    let sessions = Arc::new(Sessions::for_schema(options)?);
    let connecting = async {
        let mut connection = sessions.connect().await?;
        let server = Server::ask(&mut connection).await?;
        Outcome::Ok((connection, server))
    };
    let call = Call::within(options.common.timeout);
    let connected = call.bound(connecting).await;
    let reading = |failure: Failure| failure.into_error(Effect::Reads);
    let (connection, server) = connected.map_err(reading)?;
    server.check(&options.common)?;
    let schema = MySqlSchema {
        sessions,
        connection,
        namespace,
        timeout: options.common.timeout,
    };
    Ok((schema, server.family()))
}

fn migrator<'a>(schema: &'a mut MySqlSchema, options: &'a ServerOptions) -> Migrator<'a> {
    Migrator {
        schema,
        driver: NAME,
        namespace: &options.namespace,
        timeout: options.common.timeout,
    }
}

fn in_call(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.with_driver(NAME).with_operation(operation)
}
