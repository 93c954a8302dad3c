//! Several statements in one message, the commit with them: no round trip passes between the first and
//! the last, and no lock is held by a client that was lost in between.
//!
//! Such a message takes no values. What stands in its text is made of numbers and of the bytes of ids,
//! in which there is nothing to escape.

use futures::TryStreamExt;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor};
use tokenkeep_backend::Outcome;
use tokenkeep_core::TokenId;

use super::failure;

/// Statements of which the last is the commit. After one that fails the server does not look at the
/// rest.
#[derive(Debug, Default)]
pub(super) struct Message {
    text: String,
    statements: usize,
}

impl Message {
    /// Adds a statement without values.
    pub(super) fn with(mut self, statement: &str) -> Self {
        self.text.push_str(statement);
        self.text.push_str("; ");
        self.statements += 1;
        self
    }

    /// Adds the commit and sends it all; gives how many rows each statement changed.
    pub(super) async fn commit(self, connection: &mut MySqlConnection) -> Outcome<Vec<u64>> {
        let message = self.with("COMMIT");
        let mut changed = Vec::with_capacity(message.statements);
        let text = AssertSqlSafe(message.text);
        let mut answers = connection.fetch_many(sqlx::raw_sql(text));
        loop {
            let answer = answers.try_next().await.map_err(|error| {
                match changed.len() + 1 < message.statements {
                    true => failure::of_statement(error),
                    false => failure::of_commit(error),
                }
            })?;
            match answer {
                Some(answer) => changed.extend(answer.left().map(|done| done.rows_affected())),
                None => return Ok(changed),
            }
        }
    }
}

/// An id in a statement's text.
pub(super) fn literal(id: &TokenId) -> String {
    format!("X'{id}'")
}

/// A list of ids in a statement's text.
pub(super) fn literals(ids: &[TokenId]) -> String {
    let ids: Vec<_> = ids.iter().map(literal).collect();
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_nothing_but_digits() {
        let ids = [[0xab; 32], [b'\''; 32]].map(TokenId::from_bytes);
        let wanted = format!("X'{}', X'{}'", "ab".repeat(32), "27".repeat(32));
        assert_eq!(literals(&ids), wanted);
    }
}
