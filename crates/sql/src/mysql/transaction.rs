//! A transaction on a connection of its own.

use sqlx::mysql::MySqlConnection;
use tokenkeep_core::ErrorKind;

use super::connect::Sessions;
use super::failure;
use crate::call::Call;
use crate::failure::{Cause, Failure, Outcome};
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
            .map_err(|error| unsent(failure::of_statement(error)))?;
        Ok(Self { call, link })
    }

    pub(super) fn connection(&mut self) -> Outcome<&mut MySqlConnection> {
        self.link.connection()
    }

    /// Commits or takes back, and gives the connection back.
    pub(super) async fn end<T>(mut self, outcome: Outcome<End<T>>) -> Outcome<T> {
        match outcome {
            Ok(End::Commit(answer)) => {
                self.call.sent();
                sqlx::raw_sql("COMMIT")
                    .execute(self.connection()?)
                    .await
                    .map_err(failure::of_commit)?;
                self.link.done();
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
                Err(unsent(failure))
            }
        }
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

/// What a lost answer means before the commit: the server takes back what was done.
fn unsent(failure: Failure) -> Failure {
    match failure.cause {
        Cause::Lost => Failure::refused(ErrorKind::Unavailable, failure.message),
        Cause::Refused(_) | Cause::Again => failure,
    }
}
