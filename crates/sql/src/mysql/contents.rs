//! What stands in a database, and whether it is a store's.
//!
//! The table of the steps is made first and with columns that are its own: it is the mark of a store,
//! also of one whose first step was cut.

use sqlx::mysql::MySqlConnection;
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;

use super::failure;
use super::namespace::Namespace;
use super::read::read;
use crate::row::Columns;

/// The table that is the mark, as [`COLUMNS_FOUND`] shows its columns.
const MARK: [&str; 3] = [
    "migrations version bigint not null",
    "migrations name varbinary 255 not null",
    "migrations applied_at bigint not null",
];

/// The other tables as the first step makes them.
const FIRST: [&str; 16] = [
    "store one tinyint not null",
    "store id bigint not null",
    "tokens id binary 32 not null",
    "tokens audit_id varbinary 255 not null",
    "tokens audit_chain_id varbinary 255 not null",
    "tokens user_id varbinary 255 not null",
    "tokens tenant_id varbinary 255",
    "tokens domain_id varbinary 255",
    "tokens trust_id varbinary 255",
    "tokens consumer_id varbinary 255",
    "tokens issued_at bigint not null",
    "tokens expires_at bigint not null",
    "tokens version bigint not null",
    "tokens revoked_at bigint",
    "tokens successor binary 32",
    "tokens data longblob not null",
];

/// What later steps add to them.
const ADDED: [&str; 2] = [
    "tokens revocation bigint",
    "store revocations bigint not null",
];

const COLUMNS_FOUND: &str = "SELECT LOWER(CONCAT_WS(' ', table_name, column_name, data_type, \
     IF(data_type = 'longblob', NULL, character_maximum_length), \
     IF(is_nullable = 'NO', 'not null', NULL))) \
     FROM information_schema.columns \
     WHERE table_schema = ? AND table_name IN ('migrations', 'store', 'tokens')";

/// Tables of other names and other kinds, and what else goes with a database.
const OTHERS_FOUND: &str = "SELECT CAST(\
     (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? \
      AND (table_name NOT IN ('migrations', 'store', 'tokens') OR table_type <> 'BASE TABLE')) + \
     (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = ?) + \
     (SELECT COUNT(*) FROM information_schema.events WHERE event_schema = ?) + \
     (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = ?) AS SIGNED)";

const EXISTS: &str = "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.schemata \
     WHERE schema_name = ?";

/// What stands in a database, as far as the account can see.
#[derive(Debug, Default)]
pub(super) struct Contents {
    exists: bool,
    columns: Vec<String>,
    others: i64,
}

impl Contents {
    pub(super) async fn read(
        connection: &mut MySqlConnection,
        namespace: &Namespace,
    ) -> Outcome<Self> {
        let name = namespace.as_str();
        let exists = number(connection, EXISTS, name).await? != 0;
        let others = number(connection, OTHERS_FOUND, name).await?;
        let rows = sqlx::query(COLUMNS_FOUND)
            .bind(name)
            .fetch_all(connection)
            .await
            .map_err(failure::of_statement)?;
        Ok(Self {
            exists,
            columns: read(&rows, |row| Ok(row.text(0)?.to_owned()))?,
            others,
        })
    }

    /// Refuses a database in which a store may not be made or gone on with: one that holds something,
    /// and is no store.
    pub(super) fn check_can_hold(&self) -> Outcome<()> {
        let is_empty = self.columns.is_empty() && self.others == 0;
        match is_empty || self.is_store() {
            true => Ok(()),
            false => Err(refused(
                "the database holds something else than a store; nothing was changed",
            )),
        }
    }

    /// Tells whether there is a store to be removed; refuses one that is not a store alone.
    pub(super) fn check_can_go(&self) -> Outcome<bool> {
        if !self.exists {
            return Ok(false);
        }
        match self.is_store() && self.others == 0 {
            true => Ok(true),
            false => Err(refused(
                "the database holds something else than a store; nothing was removed",
            )),
        }
    }

    /// Tells whether the mark is there, and each table of our names is as one of our steps leaves it.
    fn is_store(&self) -> bool {
        let known = |column: &String| {
            let mut all = MARK.iter().chain(&FIRST).chain(&ADDED);
            all.any(|known| known == column)
        };
        let is_whole = |wanted: &[&str]| {
            wanted
                .iter()
                .all(|wanted| self.columns.iter().any(|found| found == wanted))
        };
        let is_absent_or_whole = |table: &str| {
            let is_of = |column: &str| column.starts_with(table);
            let wanted: Vec<_> = FIRST.into_iter().filter(|column| is_of(column)).collect();
            !self.columns.iter().any(|column| is_of(column)) || is_whole(&wanted)
        };
        self.columns.iter().all(known)
            && is_whole(&MARK)
            && is_absent_or_whole("store ")
            && is_absent_or_whole("tokens ")
    }
}

/// Asks a number about a database, whose name stands at each mark of the statement.
async fn number(connection: &mut MySqlConnection, text: &'static str, name: &str) -> Outcome<i64> {
    let marks = text.matches('?').count();
    let query = (0..marks).fold(sqlx::query(text), |query, _| query.bind(name));
    let row = query.fetch_one(connection).await;
    let row = row.map_err(failure::of_statement)?;
    row.integer(0).map_err(failure::of_row)
}

fn refused(problem: &'static str) -> Failure {
    Failure::refused(ErrorKind::Config, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(columns: &[&[&str]], others: i64) -> Contents {
        let columns = columns.concat().into_iter().map(str::to_owned);
        Contents {
            exists: true,
            columns: columns.collect(),
            others,
        }
    }

    #[test]
    fn a_database_without_anything_can_hold_a_store_and_is_none() {
        let empty = with(&[], 0);
        assert!(empty.check_can_hold().is_ok());
        assert!(empty.check_can_go().is_err());
        assert!(matches!(Contents::default().check_can_go(), Ok(false)));
    }

    #[test]
    fn a_store_is_one_after_each_part_of_its_steps() {
        let (store, tokens) = FIRST.split_at(2);
        let steps: [&[&[&str]]; 5] = [
            &[&MARK],
            &[&MARK, tokens],
            &[&MARK, tokens, store],
            &[&MARK, &FIRST, &ADDED[..1]],
            &[&MARK, &FIRST, &ADDED],
        ];
        for columns in steps {
            assert!(with(columns, 0).check_can_hold().is_ok(), "{columns:?}");
            assert!(matches!(with(columns, 0).check_can_go(), Ok(true)));
            // Something beside it may stand there, and keeps it from being removed.
            assert!(with(columns, 1).check_can_hold().is_ok());
            assert!(with(columns, 1).check_can_go().is_err());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let others: [&[&[&str]]; 5] = [
            &[&FIRST],
            &[&MARK[1..], &FIRST],
            &[&MARK, &FIRST[1..]],
            &[&MARK, &FIRST, &["tokens owner int"]],
            &[&["migrations id int not null", "migrations batch int"]],
        ];
        for columns in others {
            assert!(with(columns, 0).check_can_hold().is_err(), "{columns:?}");
            assert!(with(columns, 0).check_can_go().is_err(), "{columns:?}");
        }
        assert!(with(&[], 1).check_can_hold().is_err());
    }
}
