//! From a row to a record, for all databases alike.

use bytes::Bytes;
use sqlx::{ColumnIndex, Database, Decode, Row, Type};
use tokenkeep_core::{
    Error, Result, RevokedToken, Text, Timestamp, TokenId, TokenRecord, TokenState,
};

use crate::dialect::Place;

/// The columns of a record, in the order in which [`record`] reads them.
pub(crate) const RECORD: &str = "id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, \
     trust_id, consumer_id, issued_at, expires_at, version, revoked_at, successor, data";

/// The columns of the feed, in the order in which [`revoked`] reads them.
pub(crate) const REVOKED: &str = "revocation, id, audit_id, user_id, revoked_at, expires_at";

/// A row whose columns can be read by position, whichever database it comes from.
pub(crate) trait Columns {
    /// A binary column that must be there.
    fn bytes(&self, index: usize) -> Result<&[u8]>;
    /// A binary column.
    fn optional_bytes(&self, index: usize) -> Result<Option<&[u8]>>;
    /// A text column that must be there.
    fn text(&self, index: usize) -> Result<&str>;
    /// A text column.
    fn optional_text(&self, index: usize) -> Result<Option<&str>>;
    /// An integer column that must be there.
    fn integer(&self, index: usize) -> Result<i64>;
    /// An integer column.
    fn optional_integer(&self, index: usize) -> Result<Option<i64>>;
}

impl<R, D> Columns for R
where
    R: Row<Database = D>,
    D: Database,
    usize: ColumnIndex<R>,
    for<'r> &'r [u8]: Decode<'r, D> + Type<D>,
    for<'r> &'r str: Decode<'r, D>,
    for<'r> i64: Decode<'r, D> + Type<D>,
{
    fn bytes(&self, index: usize) -> Result<&[u8]> {
        self.try_get(index).map_err(unreadable)
    }

    fn optional_bytes(&self, index: usize) -> Result<Option<&[u8]>> {
        self.try_get(index).map_err(unreadable)
    }

    // Text stands in a binary column on MySQL, which sqlx would not read as text; UTF-8 is checked
    // all the same.
    fn text(&self, index: usize) -> Result<&str> {
        self.try_get_unchecked(index).map_err(unreadable)
    }

    fn optional_text(&self, index: usize) -> Result<Option<&str>> {
        self.try_get_unchecked(index).map_err(unreadable)
    }

    fn integer(&self, index: usize) -> Result<i64> {
        self.try_get(index).map_err(unreadable)
    }

    fn optional_integer(&self, index: usize) -> Result<Option<i64>> {
        self.try_get(index).map_err(unreadable)
    }
}

/// The record in a row of [`RECORD`].
pub(crate) fn record(row: &impl Columns) -> Result<TokenRecord> {
    Ok(TokenRecord {
        id: id(row.bytes(0)?)?,
        audit_id: text("audit_id", row.text(1)?)?,
        audit_chain_id: text("audit_chain_id", row.text(2)?)?,
        user_id: text("user_id", row.text(3)?)?,
        tenant_id: optional_text("tenant_id", row.optional_text(4)?)?,
        domain_id: optional_text("domain_id", row.optional_text(5)?)?,
        trust_id: optional_text("trust_id", row.optional_text(6)?)?,
        consumer_id: optional_text("consumer_id", row.optional_text(7)?)?,
        issued_at: instant("issued_at", row.integer(8)?)?,
        expires_at: instant("expires_at", row.integer(9)?)?,
        version: count("version", row.integer(10)?)?,
        state: state(row.optional_integer(11)?, row.optional_bytes(12)?)?,
        data: Bytes::copy_from_slice(row.bytes(13)?),
    })
}

/// The entry in a row of [`REVOKED`].
pub(crate) fn revoked(row: &impl Columns) -> Result<(Place, RevokedToken)> {
    let token = RevokedToken {
        id: id(row.bytes(1)?)?,
        audit_id: text("audit_id", row.text(2)?)?,
        user_id: text("user_id", row.text(3)?)?,
        revoked_at: instant("revoked_at", row.integer(4)?)?,
        expires_at: instant("expires_at", row.integer(5)?)?,
    };
    Ok((Place(count("revocation", row.integer(0)?)?), token))
}

/// The number that the first row begins with, which is never negative.
pub(crate) fn first_count(rows: &[impl Columns]) -> Result<u64> {
    let row = rows.first();
    let row = row.ok_or_else(|| Error::corrupt("store", "its row is missing"))?;
    let counted = u64::try_from(row.integer(0)?);
    counted.map_err(|_| Error::corrupt("store.revocations", "is negative"))
}

/// The token's id in a binary column.
pub(crate) fn id(bytes: &[u8]) -> Result<TokenId> {
    let bytes = bytes
        .try_into()
        .map_err(|_| corrupt("id", "is not 32 bytes long"))?;
    Ok(TokenId::from_bytes(bytes))
}

/// Active, or revoked at an instant, perhaps with a successor's id.
pub(crate) fn state(revoked_at: Option<i64>, successor: Option<&[u8]>) -> Result<TokenState> {
    let Some(at) = revoked_at else {
        return Ok(TokenState::Active);
    };
    Ok(TokenState::Revoked {
        at: instant("revoked_at", at)?,
        successor: successor.map(id).transpose()?,
    })
}

/// A number that is never negative.
pub(crate) fn count(column: &'static str, value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| corrupt(column, "is negative"))
}

/// An instant in microseconds.
pub(crate) fn instant(column: &'static str, micros: i64) -> Result<Timestamp> {
    Timestamp::from_micros(column, micros).map_err(|_| corrupt(column, "is out of range"))
}

fn text(column: &'static str, value: &str) -> Result<Text> {
    Text::new(column, value).map_err(|_| corrupt(column, "breaks the rules of text"))
}

fn optional_text(column: &'static str, value: Option<&str>) -> Result<Option<Text>> {
    value.map(|value| text(column, value)).transpose()
}

fn corrupt(column: &str, problem: &str) -> Error {
    Error::corrupt(format_args!("tokens.{column}"), problem)
}

/// The cause is not kept: it may show the value.
fn unreadable(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::ColumnDecode { index, .. } => {
            Error::corrupt("tokens", format_args!("column {index} cannot be read"))
        }
        _ => Error::corrupt("tokens", "a column is missing"),
    }
}
