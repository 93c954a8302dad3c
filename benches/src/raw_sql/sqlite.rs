//! Raw sqlx on SQLite.

use async_trait::async_trait;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr, SqlStr};
use tokenkeep_core::{Text, TokenId, TokenRecord};

use super::{COLUMNS, RECORD, RawResult, RawSql};

/// Raw sqlx on SQLite.
#[derive(Debug)]
pub struct RawSqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    create: SqlStr,
    get: SqlStr,
}

impl RawSqlite {
    /// On these pools; the writers have one connection.
    #[must_use]
    pub fn new(writer: SqlitePool, readers: SqlitePool) -> Self {
        let create =
            format!("INSERT INTO tokens ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        let get = format!("SELECT {RECORD} FROM tokens WHERE id = ?");
        Self {
            writer,
            readers,
            create: AssertSqlSafe(create).into_sql_str(),
            get: AssertSqlSafe(get).into_sql_str(),
        }
    }
}

#[async_trait]
impl RawSql for RawSqlite {
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
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn get(&self, id: &TokenId) -> RawResult<Option<usize>> {
        let row: Option<SqliteRow> = sqlx::query(self.get.clone())
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.readers)
            .await?;
        let length = |row: SqliteRow| Ok(row.try_get::<&[u8], _>(13)?.len());
        row.map(length).transpose()
    }
}
