//! A transaction on a connection of its own.

use sqlx::mysql::MySqlConnection;
use tokenkeep_backend::{Call, Cause, Failure, Outcome};

use super::connect::Sessions;
use super::failure;
use super::message::Message;
use crate::pool::{Link, Pool};

/// A transaction that is open. Dropped without [`end`](Self::end), its connection is closed, and so the
/// server takes back what was done.
///
/// Until the commit is on its way, nothing of it can have been applied.
pub(super) struct Transaction<'a> {
    call: &'a Call,
    link: Link<Sessions>,
}

/// How the work in a transaction ended, with its answer.
pub(super) enum End<T> {
    /// To be kept.
    Commit(T),
    /// Nothing was done that is to be kept.
    Undo(T),
}

impl<'a> Transaction<'a> {
    pub(super) async fn begin(pool: &Pool<Sessions>, call: &'a Call) -> Outcome<Self> {
        let mut link = pool.link(call).await?;
        call.not_sent();
        let begun = sqlx::raw_sql("START TRANSACTION")
            .execute(link.connection()?)
            .await;
        match begun.map_err(failure::of_statement) {
            Ok(_) => Ok(Self { call, link }),
            Err(failure) => link.end(Err(failure)).map_err(failure::unsent),
        }
    }

    pub(super) fn connection(&mut self) -> Outcome<&mut MySqlConnection> {
        self.link.connection()
    }

    /// Commits or takes back, and gives the connection back.
    pub(super) async fn end<T>(self, outcome: Outcome<End<T>>) -> Outcome<T> {
        match outcome {
            Ok(End::Commit(answer)) => {
                self.commit_with(Message::default()).await?;
                Ok(answer)
            }
            Ok(End::Undo(answer)) => {
                self.undo().await;
                Ok(answer)
            }
            Err(failure) => self.fail(failure).await.map_err(failure::unsent),
        }
    }

    /// Commits with what this message does before, and gives how many rows each of its statements
    /// changed.
    pub(super) async fn commit_with(mut self, message: Message) -> Outcome<Vec<u64>> {
        self.call.sent();
        match message.commit(self.connection()?).await {
            Ok(changed) => {
                self.link.done();
                Ok(changed)
            }
            Err(failure) => self.fail(failure).await,
        }
    }

    /// Takes back what was done, where the connection is still good for that.
    async fn fail<T>(self, failure: Failure) -> Outcome<T> {
        if failure.cause == Cause::Lost {
            return self.link.end(Err(failure));
        }
        self.undo().await;
        Err(failure)
    }

    /// A connection on which this fails is closed.
    async fn undo(mut self) {
        if let Ok(connection) = self.connection()
            && sqlx::raw_sql("ROLLBACK").execute(connection).await.is_ok()
        {
            self.link.done();
        }
    }
}
