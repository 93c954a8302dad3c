//! A transaction on a connection of its own.

use sqlx::mysql::MySqlConnection;

use super::connect::Sessions;
use super::failure;
use super::message::Message;
use crate::call::Call;
use crate::failure::{Cause, Outcome};
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
        sqlx::raw_sql("START TRANSACTION")
            .execute(link.connection()?)
            .await
            .map_err(|error| failure::unsent(failure::of_statement(error)))?;
        Ok(Self { call, link })
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
            Err(failure) => {
                if failure.cause != Cause::Lost {
                    self.undo().await;
                }
                Err(failure::unsent(failure))
            }
        }
    }

    /// Commits with what this message does before, and gives how many rows each of its statements
    /// changed.
    pub(super) async fn commit_with(mut self, message: Message) -> Outcome<Vec<u64>> {
        self.call.sent();
        let outcome = message.commit(self.connection()?).await;
        match &outcome {
            Ok(_) => self.link.done(),
            Err(failure) if failure.cause == Cause::Lost => {}
            Err(_) => self.undo().await,
        }
        outcome
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
