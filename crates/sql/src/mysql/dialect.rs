//! MySQL's and MariaDB's statements behind the dialect that the driver speaks.

use async_trait::async_trait;
use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{
    Durability, Replacement, RevokedToken, Timestamp, TokenFilter, TokenId, TokenRecord,
};

use super::connect::Sessions;
use super::statements::{MAX_BATCH, REPLACE, Statements, bind_id};
use super::{failure, flush, insert, read, revoke, revoke_line, rotate};
use crate::dialect::{Condition, Dialect, Place, Turn};
use crate::pool::Pool;

/// The driver's name.
pub(super) const NAME: &str = "mysql";

/// A namespace on a MySQL or MariaDB server.
#[derive(Debug)]
pub(super) struct MySqlDialect {
    pub(super) pool: Pool<Sessions>,
    pub(super) statements: Statements,
    pub(super) durability: Durability,
}

#[async_trait]
impl Dialect for MySqlDialect {
    fn name(&self) -> &'static str {
        NAME
    }

    fn max_batch(&self) -> usize {
        MAX_BATCH
    }

    async fn fetch(&self, call: &Call, ids: &[TokenId]) -> Outcome<Vec<TokenRecord>> {
        read::fetch(&self.pool, call, &self.statements, ids).await
    }

    async fn insert(
        &self,
        call: &Call,
        records: &[TokenRecord],
        now: Timestamp,
    ) -> Outcome<Vec<bool>> {
        insert::insert(&self.pool, call, &self.statements, records, now).await
    }

    async fn revoke(&self, call: &Call, ids: &[TokenId], now: Timestamp) -> Outcome<Vec<TokenId>> {
        revoke::revoke(&self.pool, call, &self.statements, ids, now).await
    }

    async fn revoke_page(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(TokenId, bool)>> {
        revoke::revoke_page(&self.pool, call, filter, after, limit, now).await
    }

    async fn last_place(&self, call: &Call) -> Outcome<Place> {
        read::last_place(&self.pool, call).await
    }

    async fn successors(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Place,
        last: Place,
        now: Timestamp,
    ) -> Outcome<Vec<Option<TokenId>>> {
        read::successors(&self.pool, call, filter, after, last, now).await
    }

    async fn revoke_line(
        &self,
        call: &Call,
        filter: &TokenFilter,
        id: TokenId,
        links: usize,
        now: Timestamp,
    ) -> Outcome<Option<TokenId>> {
        revoke_line::revoke_line(&self.pool, call, filter, id, links, now).await
    }

    async fn list(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<TokenRecord>> {
        read::list(&self.pool, call, filter, after, limit, now).await
    }

    async fn revoked(
        &self,
        call: &Call,
        after: Place,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(Place, RevokedToken)>> {
        read::revoked(&self.pool, call, after, limit, now).await
    }

    async fn replace(
        &self,
        call: &Call,
        change: &Replacement,
        expected_version: u64,
        now: Timestamp,
    ) -> Outcome<bool> {
        let mut link = self.pool.link(call).await?;
        let query = sqlx::query(REPLACE)
            .bind(change.data.as_ref())
            .bind(change.expires_at.as_micros())
            .bind(expected_version + 1);
        let query = bind_id(query, &change.id)
            .bind(expected_version)
            .bind(now.as_micros());
        let replaced = query.execute(link.connection()?).await;
        let replaced = failure::end(link, replaced)?;
        Ok(replaced.rows_affected() == 1)
    }

    async fn rotate(
        &self,
        call: &Call,
        old: &TokenId,
        successor: &TokenRecord,
        now: Timestamp,
    ) -> Outcome<Turn> {
        rotate::rotate(&self.pool, call, &self.statements, old, successor, now).await
    }

    async fn flush(&self, call: &Call, limit: u32, now: Timestamp) -> Outcome<u64> {
        flush::flush(&self.pool, call, &self.statements, limit, now).await
    }

    async fn has_expired(&self, call: &Call, now: Timestamp) -> Outcome<bool> {
        read::has_expired(&self.pool, call, now).await
    }

    async fn check(&self, call: &Call) -> Outcome<Condition> {
        read::check(&self.pool, call, self.durability).await
    }
}
