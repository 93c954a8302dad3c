//! PostgreSQL: `postgres://user@host/database`.

use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_sql::{ServerOptions, postgres};

use super::database::{self, Kind};
use super::sql;
use crate::{Clock, Result, SchemaStatus, StoreFactory, StoreUrl, TokenDriver};

static KIND: Kind = Kind {
    port: 5432,
    socket: "host",
    namespace: Some("tokenkeep"),
};

/// Opens namespaces of PostgreSQL servers.
pub(super) struct PostgresFactory;

async fn read(url: &StoreUrl) -> Result<ServerOptions> {
    database::read(url, &KIND).await
}

#[async_trait]
impl StoreFactory for PostgresFactory {
    async fn open(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
        let options = read(url).await?;
        Ok(Arc::new(postgres::open(&options, clock).await?))
    }

    async fn schema(&self, url: &StoreUrl) -> Result<Option<SchemaStatus>> {
        let status = postgres::schema_status(&read(url).await?).await?;
        Ok(Some(sql::status(status)))
    }

    async fn migrate(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Option<SchemaStatus>> {
        let status = postgres::migrate(&read(url).await?, &*clock).await?;
        Ok(Some(sql::status(status)))
    }

    async fn remove(&self, url: &StoreUrl) -> Result<()> {
        postgres::drop_namespace(&read(url).await?).await
    }
}
