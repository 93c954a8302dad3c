//! One connection, shared by all calls that go over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, Value};
use tokenkeep_backend::{Failure, Outcome};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::doubt::Doubt;
use super::replies::{self, Answer};

/// How many commands wait in memory where the server takes no more; callers beyond them wait with
/// their own.
const WAITING: usize = 1_024;

/// A connection that calls share; dropping it closes it, and what is still unanswered is lost.
///
/// It speaks version 2 of the protocol: the answers are the same bytes as in version 3 for all that is
/// asked here, nothing can come between them, and it needs no greeting that an account may be denied.
#[derive(Debug)]
pub(super) struct Connection {
    server: Arc<str>,
    redis: MultiplexedConnection,
    driver: JoinHandle<()>,
    has_ended: Arc<AtomicBool>,
    answers: AtomicU64,
}

impl Connection {
    /// Takes over a stream to this server on which who we are was said; that it ends by itself raises this
    /// doubt.
    pub(super) async fn over<S>(stream: S, server: &str, doubt: &Arc<Doubt>) -> Outcome<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(WAITING);
        // Who we are is said by `Dialer`, which knows what a refusal means.
        let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (redis, driver) = MultiplexedConnection::new_with_config(&silent, stream, config)
            .await
            .map_err(|error| broken(&error))?;
        let has_ended = Arc::new(AtomicBool::new(false));
        let (ended, doubt) = (Arc::clone(&has_ended), Arc::clone(doubt));
        let driver = tokio::spawn(async move {
            driver.await;
            // Whoever finds that it ended finds the doubt, too.
            doubt.raise();
            ended.store(true, Ordering::Release);
        });
        Ok(Self {
            server: server.into(),
            redis,
            driver,
            has_ended,
            answers: AtomicU64::new(0),
        })
    }

    /// Whether it was not closed, as far as one can tell without asking.
    pub(super) fn is_open(&self) -> bool {
        !self.has_ended.load(Ordering::Acquire) && !self.driver.is_finished()
    }

    /// How many answers have come over it: one that gives more of them is not frozen.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Sends a command and gives its answer.
    pub(super) async fn send(&self, command: &Cmd) -> Outcome<Answer> {
        let mut redis = self.redis.clone();
        let reply = redis.send_packed_command(command).await;
        self.answers.fetch_add(1, Ordering::Relaxed);
        let value = reply.map_err(|error| broken(&error))?;
        Ok(replies::answer(value, &self.server))
    }

    /// Sends commands together and gives their answers, but for the first `skipped` of them.
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        skipped: usize,
    ) -> Outcome<Vec<Answer>> {
        let mut redis = self.redis.clone();
        let count = commands.len() - skipped;
        let reply = redis.send_packed_commands(commands, skipped, count).await;
        self.answers.fetch_add(1, Ordering::Relaxed);
        let values: Vec<Value> = reply.map_err(|error| broken(&error))?;
        let answer = |value| replies::answer(value, &self.server);
        Ok(values.into_iter().map(answer).collect())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn broken(error: &RedisError) -> Failure {
    Failure::lost(format!("the connection broke: {error}"))
}
