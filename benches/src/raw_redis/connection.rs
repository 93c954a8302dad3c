//! The way to the servers, as redis-rs gives it.

use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Pipeline, Value};

use crate::RawResult;

/// As long as the driver waits by default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One connection that all callers share, or one to each node of a Cluster.
#[derive(Clone)]
pub enum RawConnection {
    /// To one server.
    One(MultiplexedConnection),
    /// To the nodes of a Cluster.
    Cluster(ClusterConnection),
}

impl RawConnection {
    /// To one server.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn one(server: ConnectionInfo) -> RawResult<Self> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
        let client = Client::open(server)?;
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        Ok(Self::One(connection.await?))
    }

    /// To the Cluster that these nodes belong to.
    ///
    /// # Errors
    ///
    /// What the nodes answer.
    pub async fn cluster(nodes: Vec<ConnectionInfo>) -> RawResult<Self> {
        let client = ClusterClientBuilder::new(nodes)
            .response_timeout(TIMEOUT)
            .build()?;
        Ok(Self::Cluster(client.get_async_connection().await?))
    }

    pub(super) async fn call(&self, command: &Cmd) -> RawResult<Value> {
        let answer = match self {
            Self::One(connection) => connection.clone().send_packed_command(command).await,
            Self::Cluster(connection) => connection.clone().req_packed_command(command).await,
        };
        Ok(answer?.extract_error()?)
    }

    /// Gives `count` answers behind the first `skipped`.
    pub(super) async fn call_all(
        &self,
        commands: &Pipeline,
        skipped: usize,
        count: usize,
    ) -> RawResult<Vec<Value>> {
        let answers = match self {
            Self::One(connection) => {
                let mut connection = connection.clone();
                connection
                    .send_packed_commands(commands, skipped, count)
                    .await
            }
            Self::Cluster(connection) => {
                let mut connection = connection.clone();
                connection
                    .req_packed_commands(commands, skipped, count)
                    .await
            }
        };
        let answers = answers?.into_iter().map(Value::extract_error);
        Ok(answers.collect::<Result<_, _>>()?)
    }
}

impl fmt::Debug for RawConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::One(_) => "One",
            Self::Cluster(_) => "Cluster",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}
