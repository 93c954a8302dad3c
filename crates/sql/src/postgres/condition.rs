//! What a look at the store shows: its number, the server's version, and what to warn of.

use sqlx::postgres::PgRow;
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{Durability, ErrorKind, StoreId};

use super::dialect::column;
use crate::dialect::Condition;

/// Reads the row that the statement `check` gives; `Config` where tokens may not be read.
pub(super) fn read(row: &PgRow, durability: Durability) -> Outcome<Condition> {
    let store: i64 = column(row, 0)?;
    if !column::<bool>(row, 6)? {
        let problem = "the account lacks the privilege SELECT on the tokens";
        return Err(Failure::refused(ErrorKind::Config, problem));
    }
    Ok(Condition {
        store: StoreId::from_u64(store.cast_unsigned()),
        version: column(row, 1)?,
        warnings: warnings(row, durability)?,
    })
}

fn warnings(row: &PgRow, durability: Durability) -> Outcome<Vec<String>> {
    let is_off = |index| column::<String>(row, index).map(|setting| setting == "off");
    let mut warnings = Vec::new();
    if durability == Durability::Sync && is_off(2)? {
        warnings.push("fsync is off: a power cut can lose what was acknowledged".to_owned());
    }
    if is_off(3)? {
        warnings.push("full_page_writes is off: a power cut can damage the store".to_owned());
    }
    let is_read_only: String = column(row, 4)?;
    if is_read_only == "on" || column(row, 5)? {
        warnings.push("the server only reads: every write is refused".to_owned());
    }
    for (index, privilege) in [
        (7, "INSERT on the tokens: create and rotate are refused"),
        (
            8,
            "UPDATE on the tokens: all writes but a flush are refused",
        ),
        (9, "DELETE on the tokens: flush is refused"),
        (10, "UPDATE on the store's row: revocations are refused"),
    ] {
        if !column::<bool>(row, index)? {
            warnings.push(format!("the account lacks the privilege {privilege}"));
        }
    }
    Ok(warnings)
}
