//! Connections to a server, with the session settings that the statements count on.

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokenkeep_backend::{Outcome, is_socket};
use tokenkeep_core::Result;

use super::namespace::Namespace;
use super::server::Family;
use super::settings::settings;
use super::{failure, tls};
use crate::options::ServerOptions;
use crate::pool::Connector;

/// How many statements a session keeps prepared: of every number of records and ids that is common, and
/// of the filters in use. A server counts those of all sessions against one limit.
const STATEMENTS: usize = 128;

/// Makes connections to one server.
pub(super) struct Sessions {
    options: ServerOptions,
    /// The database that a session begins in.
    database: Option<Namespace>,
    settings: String,
}

impl Sessions {
    /// For the calls of a driver: in the namespace's database.
    pub(super) fn for_calls(options: &ServerOptions, namespace: Namespace, family: Family) -> Self {
        Self {
            options: options.clone(),
            database: Some(namespace),
            settings: settings(options, Some(family)),
        }
    }

    /// For the steps of the schema, which take as long as the data need: in no database, since there
    /// may be none yet.
    pub(super) fn for_schema(options: &ServerOptions) -> Result<Self> {
        options.tls.check(&options.host)?;
        Ok(Self {
            options: options.clone(),
            database: None,
            settings: settings(options, None),
        })
    }

    /// Made anew for each connection, so that the password stays out of sqlx's hands in between.
    fn connect_options(&self) -> MySqlConnectOptions {
        let options = &self.options;
        // Texts and data are bytes to the server, and instants integers: of what sqlx would set
        // itself, in a round trip of its own, nothing is needed.
        let connect = MySqlConnectOptions::new()
            .username(&options.user)
            .statement_cache_capacity(STATEMENTS)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .set_names(false)
            .disable_statement_logging();
        let connect = if is_socket(&options.host) {
            connect.socket(&options.host)
        } else {
            connect.host(&options.host).port(options.port)
        };
        let connect = match &options.password {
            Some(password) => connect.password(password),
            None => connect,
        };
        let connect = match &self.database {
            Some(database) => connect.database(database.as_str()),
            None => connect,
        };
        tls::apply(connect, options)
    }
}

#[async_trait]
impl Connector for Sessions {
    type Connection = MySqlConnection;

    async fn connect(&self) -> Outcome<MySqlConnection> {
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

    async fn reset(&self, connection: &mut MySqlConnection) -> Outcome<()> {
        connection.ping().await.map_err(failure::of_statement)
    }
}
