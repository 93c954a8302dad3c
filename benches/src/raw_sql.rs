//! sqlx by itself, on the driver's own tables: one statement a call, on a pool of sqlx's own.

mod mysql;
mod postgres;
mod sqlite;

use async_trait::async_trait;
use tokenkeep_core::{TokenId, TokenRecord};

pub use mysql::RawMysql;
pub use postgres::RawPostgres;
pub use sqlite::RawSqlite;

/// What a raw call may fail with; a benchmark has no use for more.
pub type RawResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The least work that could be right, for one database.
#[async_trait]
pub trait RawSql: Send + Sync + 'static {
    /// Stores a token with one prepared statement.
    ///
    /// # Errors
    ///
    /// What the database answers, a taken id included.
    async fn create(&self, record: &TokenRecord) -> RawResult<()>;

    /// Reads a token with one prepared statement; gives the length of its data, if it is there.
    ///
    /// # Errors
    ///
    /// What the database answers.
    async fn get(&self, id: &TokenId) -> RawResult<Option<usize>>;
}

/// The columns that a token is made with, in the order in which they are bound.
const COLUMNS: &str = "id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, \
     consumer_id, issued_at, expires_at, version, data";

/// The columns that an answer to `get` takes.
const RECORD: &str = "id, audit_id, audit_chain_id, user_id, tenant_id, domain_id, trust_id, \
     consumer_id, issued_at, expires_at, version, revoked_at, successor, data";
