//! Raw sqlx on PostgreSQL.

use async_trait::async_trait;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr, SqlStr};
use tokenkeep_core::{Text, TokenId, TokenRecord};

use super::{COLUMNS, RECORD, RawResult, RawSql};

/// Raw sqlx on PostgreSQL.
#[derive(Debug)]
pub struct RawPostgres {
    pool: PgPool,
    create: SqlStr,
    get: SqlStr,
}

impl RawPostgres {
    /// On the tables of a schema.
    #[must_use]
    pub fn new(pool: PgPool, schema: &str) -> Self {
        let create = format!(
            "INSERT INTO {schema}.tokens ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        );
        let get = format!("SELECT {RECORD} FROM {schema}.tokens WHERE id = $1");
        Self {
            pool,
            create: AssertSqlSafe(create).into_sql_str(),
            get: AssertSqlSafe(get).into_sql_str(),
        }
    }
}

#[async_trait]
impl RawSql for RawPostgres {
    async fn create(&self, record: &TokenRecord) -> RawResult<()> {
        sqlx::query(self.create.clone())
            .bind(record.id.as_bytes().as_slice())
            .bind(record.audit_id.as_str())
            .bind(record.audit_chain_id.as_str())
            .bind(record.user_id.as_str())
            .bind(record.tenant_id.as_ref().map(Text::as_str))
            .bind(record.domain_id.as_ref().map(Text::as_str))
            .bind(record.trust_id.as_ref().map(Text::as_str))
            .bind(record.consumer_id.as_ref().map(Text::as_str))
            .bind(record.issued_at.as_micros())
            .bind(record.expires_at.as_micros())
            .bind(1_i64)
            .bind(&*record.data)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn get(&self, id: &TokenId) -> RawResult<Option<usize>> {
        let row: Option<PgRow> = sqlx::query(self.get.clone())
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        let length = |row: PgRow| Ok(row.try_get::<&[u8], _>(13)?.len());
        row.map(length).transpose()
    }
}
