//! Connections to a server, with the session settings that the statements count on.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokenkeep_backend::Outcome;
use tokenkeep_core::{Durability, Result};

use super::{environment, failure, tls};
use crate::options::ServerOptions;
use crate::pool::Connector;

/// Holds the statements that are always the same and those of all filters in common use.
const STATEMENTS: usize = 256;

/// What the server's, the database's and the account's defaults would change the meaning of statements
/// by. Where a policy would hide rows, statements fail instead.
const MEANING: &str = "SET default_transaction_isolation = 'read committed'; \
     SET search_path = pg_catalog, pg_temp; SET row_security = off; \
     SET standard_conforming_strings = on; SET client_min_messages = warning";

/// Plans are meant for big tables, since one that was made while a table was small is kept: reading
/// rows in vain counts much. Pages are read in the order of an index, while a bitmap would read all that
/// an anchor has; compiling and helpers never pay.
const PLANS: &str = "SET plan_cache_mode = auto; SET enable_indexscan = on; \
     SET enable_seqscan = off; SET enable_bitmapscan = off; \
     SET enable_mergejoin = off; \
     SET seq_page_cost = 1; SET random_page_cost = 1.1; SET cpu_tuple_cost = 1; \
     SET max_parallel_workers_per_gather = 0; SET jit = off";

/// Not every version has these, which end sessions that may be in use.
const LIFE: &str = "SELECT set_config(name, '0', false) FROM pg_settings \
     WHERE name IN ('idle_session_timeout', 'transaction_timeout')";

/// Makes connections to one database.
pub(super) struct Server {
    options: ServerOptions,
    settings: String,
}

impl Server {
    /// For the calls of a driver.
    pub(super) fn for_calls(options: &ServerOptions) -> Result<Self> {
        let longest = options.common.timeout;
        // Before the call's own end, so that the answer is a plain refusal and leaves no doubt.
        let usual = longest.mul_f64(0.9);
        let statement = options.statement_timeout.unwrap_or(usual).min(longest);
        Self::new(options, Some(statement))
    }

    /// For the steps of the schema, which take as long as the data need.
    pub(super) fn for_schema(options: &ServerOptions) -> Result<Self> {
        Self::new(options, None)
    }

    fn new(options: &ServerOptions, statement_timeout: Option<Duration>) -> Result<Self> {
        environment::check(options)?;
        options.tls.check(&options.host)?;
        Ok(Self {
            settings: settings(options, statement_timeout),
            options: options.clone(),
        })
    }

    /// Made anew for each connection, so that the password stays out of sqlx's hands in between.
    fn connect_options(&self) -> PgConnectOptions {
        let options = &self.options;
        let connect = PgConnectOptions::new_without_pgpass()
            .host(&options.host)
            .port(options.port)
            .username(&options.user)
            .password(options.password.as_ref().map_or("", |text| text.as_str()))
            .database(&options.database)
            .application_name("tokenkeep")
            .extra_float_digits(None)
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        tls::apply(connect, options)
    }
}

#[async_trait]
impl Connector for Server {
    type Connection = PgConnection;

    async fn connect(&self) -> Outcome<PgConnection> {
        let connect = self.connect_options();
        let address = self.options.address();
        let failed = |error| failure::of_connecting(error).at(&address);
        let mut connection = connect.connect().await.map_err(failed)?;
        sqlx::raw_sql(AssertSqlSafe(self.settings.as_str()))
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        Ok(connection)
    }

    async fn reset(&self, connection: &mut PgConnection) -> Outcome<()> {
        connection.ping().await.map_err(failure::of_statement)
    }
}

/// One message with the settings of a session. Only numbers and constants stand in it.
fn settings(options: &ServerOptions, statement_timeout: Option<Duration>) -> String {
    let longest = options.common.timeout;
    // A wait for a lock ends first, so that the answer is a plain refusal.
    let lock = statement_timeout.unwrap_or(longest).mul_f64(0.75);
    let statement = statement_timeout.map_or(0, millis);
    let synchronous = match options.common.durability {
        Durability::Sync => {
            "CASE current_setting('synchronous_commit') \
             WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END"
        }
        Durability::Relaxed | Durability::Volatile => "'off'",
    };
    let settings = [
        format!("SET statement_timeout = {statement}"),
        format!("SET lock_timeout = {}", millis(lock)),
        format!(
            "SET idle_in_transaction_session_timeout = {}",
            millis(longest)
        ),
        MEANING.to_owned(),
        PLANS.to_owned(),
        format!("SELECT set_config('synchronous_commit', {synchronous}, false)"),
        LIFE.to_owned(),
    ];
    settings.join("; ")
}

/// A setting in milliseconds; zero would mean none.
fn millis(span: Duration) -> u128 {
    span.as_millis().clamp(1, i32::MAX as u128)
}
