//! How the statements are run.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row;
use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{
    Replacement, Result, RevokedToken, Rotation, StoreId, Timestamp, TokenFilter, TokenId,
    TokenRecord,
};

use super::binding::{
    as_integer, conditions, first, ids, insertion, optional_id, page, query, records, size_for,
    split, with_conditions, with_ids,
};
use super::connector::Connector;
use super::failure::{reading, unreadable};
use super::file::StoreFile;
use super::links::{Links, rows};
use super::{DRIVER, line, log, rotation, statements};
use crate::dialect::{Condition, Dialect, Place, Turn};
use crate::row;

/// The statements of SQLite.
#[derive(Debug)]
pub(super) struct SqliteDialect {
    links: Links,
}

impl SqliteDialect {
    pub(super) fn new(connector: &Connector, file: Arc<StoreFile>, readers: u32) -> Result<Self> {
        let links = Links::new(connector, file, readers)?;
        Ok(Self { links })
    }
}

#[async_trait]
impl Dialect for SqliteDialect {
    fn name(&self) -> &'static str {
        DRIVER
    }

    fn max_batch(&self) -> usize {
        256
    }

    async fn fetch(&self, call: &Call, ids: &[TokenId]) -> Outcome<Vec<TokenRecord>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(statements::SIZES[0]) {
            let query = with_ids(statements::fetch(size_for(ids.len())), ids);
            found.extend(records(&self.links.read(call, query).await?)?);
        }
        Ok(found)
    }

    async fn insert(
        &self,
        call: &Call,
        records: &[TokenRecord],
        now: Timestamp,
    ) -> Outcome<Vec<bool>> {
        let parts = split(records);
        let stored = if let [records] = parts[..] {
            ids(&self.links.write(call, insertion(records, now)).await?)?
        } else {
            let mut link = self.links.transaction(call).await?;
            let connection = link.connection()?;
            let mut stored = Vec::with_capacity(records.len());
            for records in parts {
                let rows = rows(connection, insertion(records, now)).await?;
                stored.extend(ids(&rows)?);
            }
            self.links.end(link, statements::COMMIT).await?;
            stored
        };
        let stored: HashSet<_> = stored.into_iter().collect();
        let was_stored = |record: &TokenRecord| stored.contains(&record.id);
        Ok(records.iter().map(was_stored).collect())
    }

    async fn revoke(
        &self,
        call: &Call,
        ids_given: &[TokenId],
        now: Timestamp,
    ) -> Outcome<Vec<TokenId>> {
        let revocation = |part: &[TokenId]| {
            with_ids(statements::revoke(size_for(part.len())), part)
                .bind(now.as_micros())
                .bind(now.as_micros())
        };
        if ids_given.len() <= statements::SIZES[0] {
            return ids(&self.links.write(call, revocation(ids_given)).await?);
        }
        let mut link = self.links.transaction(call).await?;
        let connection = link.connection()?;
        let mut revoked = Vec::new();
        for part in ids_given.chunks(statements::SIZES[0]) {
            revoked.extend(ids(&rows(connection, revocation(part)).await?)?);
        }
        self.links.end(link, statements::COMMIT).await?;
        Ok(revoked)
    }

    async fn revoke_page(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(TokenId, bool)>> {
        let conditions = conditions(filter)?;
        let text = statements::revoke_page(&conditions.text());
        let query = page(text, &conditions, after, now, limit).bind(now.as_micros());
        let mut revoked = ids(&self.links.write(call, query).await?)?;
        revoked.sort_unstable();
        // Nobody writes between the look and the revocation.
        Ok(revoked.into_iter().map(|id| (id, true)).collect())
    }

    async fn last_place(&self, call: &Call) -> Outcome<Place> {
        let query = sqlx::query(statements::LAST_PLACE);
        let rows = self.links.read(call, query).await?;
        row::first_count(&rows).map(Place).map_err(unreadable)
    }

    async fn successors(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Place,
        last: Place,
        now: Timestamp,
    ) -> Outcome<Vec<Option<TokenId>>> {
        let conditions = conditions(filter)?;
        let text = statements::successors(&conditions.text());
        let query = with_conditions(text, &conditions)
            .bind(now.as_micros())
            .bind(after.as_column())
            .bind(last.as_column());
        let rows = self.links.read(call, query).await?;
        rows.iter().map(optional_id).collect()
    }

    async fn revoke_line(
        &self,
        call: &Call,
        filter: &TokenFilter,
        id: TokenId,
        links: usize,
        now: Timestamp,
    ) -> Outcome<Option<TokenId>> {
        let mut link = self.links.transaction(call).await?;
        let line = line::revoke(link.connection()?, filter, id, links, now);
        let revoked = line.await?;
        self.links.end(link, statements::COMMIT).await?;
        Ok(revoked)
    }

    async fn list(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<TokenRecord>> {
        let conditions = conditions(filter)?;
        let text = statements::list(&conditions.text());
        let query = page(text, &conditions, after, now, limit);
        records(&self.links.read(call, query).await?)
    }

    async fn revoked(
        &self,
        call: &Call,
        after: Place,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(Place, RevokedToken)>> {
        let query = query(statements::revoked())
            .bind(after.as_column())
            .bind(now.as_micros())
            .bind(as_integer(limit));
        let rows = self.links.read(call, query).await?;
        rows.iter()
            .map(|row| row::revoked(row).map_err(unreadable))
            .collect()
    }

    async fn replace(
        &self,
        call: &Call,
        change: &Replacement,
        expected_version: u64,
        now: Timestamp,
    ) -> Outcome<bool> {
        let query = sqlx::query(statements::REPLACE)
            .bind(change.expires_at.as_micros())
            .bind(&change.data[..])
            .bind(&change.id.as_bytes()[..])
            .bind(expected_version.cast_signed())
            .bind(now.as_micros());
        Ok(self.links.change(call, query).await? > 0)
    }

    async fn rotate(
        &self,
        call: &Call,
        old: &TokenId,
        successor: &TokenRecord,
        now: Timestamp,
    ) -> Outcome<Turn> {
        let mut link = self.links.transaction(call).await?;
        let connection = link.connection()?;
        let turn = rotation::rotate(connection, old, successor, now).await?;
        let end = match turn {
            Turn::Taken(Rotation::Rotated) => statements::COMMIT,
            _ => statements::ROLLBACK,
        };
        self.links.end(link, end).await?;
        Ok(turn)
    }

    async fn flush(&self, call: &Call, limit: u32, now: Timestamp) -> Outcome<u64> {
        let query = sqlx::query(statements::FLUSH)
            .bind(now.as_micros())
            .bind(i64::from(limit));
        self.links.change(call, query).await
    }

    async fn has_expired(&self, call: &Call, now: Timestamp) -> Outcome<bool> {
        let query = sqlx::query(statements::HAS_EXPIRED).bind(now.as_micros());
        let rows = self.links.read(call, query).await?;
        let found: i64 = first(&rows)?.try_get(0).map_err(reading)?;
        Ok(found != 0)
    }

    async fn check(&self, call: &Call) -> Outcome<Condition> {
        let rows = self
            .links
            .read(call, sqlx::query(statements::CHECK))
            .await?;
        let row = first(&rows)?;
        let store: i64 = row.try_get(0).map_err(reading)?;
        let version: String = row.try_get(1).map_err(reading)?;
        let mode: String = row.try_get(2).map_err(reading)?;
        self.links.file().look().await?;
        let length = self.links.file().log_length().await?;
        let warnings = [log::mode_warning(&mode), log::warning(length)];
        Ok(Condition {
            store: StoreId::from_u64(store.cast_unsigned()),
            version: format!("SQLite {version}"),
            warnings: warnings.into_iter().flatten().collect(),
        })
    }
}
