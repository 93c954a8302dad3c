//! Binds new records to a statement, in the order of its columns.

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use tokenkeep_core::{Text, TokenRecord};

/// One record as eleven values.
pub(super) fn one<'q>(
    statement: Query<'q, Postgres, PgArguments>,
    record: &TokenRecord,
) -> Query<'q, Postgres, PgArguments> {
    let TokenRecord {
        id,
        audit_id,
        audit_chain_id,
        user_id,
        tenant_id,
        domain_id,
        trust_id,
        consumer_id,
        issued_at,
        expires_at,
        data,
        // As of every new record.
        version: _,
        state: _,
    } = record;
    statement
        .bind(id.as_bytes().as_slice())
        .bind(audit_id.as_str())
        .bind(audit_chain_id.as_str())
        .bind(user_id.as_str())
        .bind(optional(tenant_id))
        .bind(optional(domain_id))
        .bind(optional(trust_id))
        .bind(optional(consumer_id))
        .bind(issued_at.as_micros())
        .bind(expires_at.as_micros())
        .bind(&data[..])
}

/// Several as eleven arrays, in order of their ids: the order in which their rows are locked.
pub(super) fn several<'q>(
    statement: Query<'q, Postgres, PgArguments>,
    records: &[TokenRecord],
) -> Query<'q, Postgres, PgArguments> {
    let mut sorted: Vec<&TokenRecord> = records.iter().collect();
    sorted.sort_unstable_by_key(|record| record.id);
    let records = sorted.as_slice();
    statement
        .bind(each(records, |record| record.id.as_bytes().as_slice()))
        .bind(each(records, |record| record.audit_id.as_str()))
        .bind(each(records, |record| record.audit_chain_id.as_str()))
        .bind(each(records, |record| record.user_id.as_str()))
        .bind(each(records, |record| optional(&record.tenant_id)))
        .bind(each(records, |record| optional(&record.domain_id)))
        .bind(each(records, |record| optional(&record.trust_id)))
        .bind(each(records, |record| optional(&record.consumer_id)))
        .bind(each(records, |record| record.issued_at.as_micros()))
        .bind(each(records, |record| record.expires_at.as_micros()))
        .bind(each(records, |record| &record.data[..]))
}

fn optional(text: &Option<Text>) -> Option<&str> {
    text.as_ref().map(Text::as_str)
}

fn each<'r, T>(records: &[&'r TokenRecord], column: impl Fn(&'r TokenRecord) -> T) -> Vec<T> {
    records.iter().map(|record| column(record)).collect()
}
