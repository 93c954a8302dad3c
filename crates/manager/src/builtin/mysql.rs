//! MySQL and MariaDB: `mysql://user@host/database`.

use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_sql::{ServerOptions, mysql};

use super::database::{self, Kind};
use super::sql;
use crate::{Clock, Result, SchemaStatus, StoreFactory, StoreUrl, TokenDriver};

static KIND: Kind = Kind {
    port: 3306,
    socket: "socket",
    namespace: None,
};

/// Opens namespaces of MySQL and MariaDB servers.
pub(super) struct MysqlFactory;

async fn read(url: &StoreUrl) -> Result<ServerOptions> {
    database::read(url, &KIND).await
}

#[async_trait]
impl StoreFactory for MysqlFactory {
    async fn open(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
        let options = read(url).await?;
        Ok(Arc::new(mysql::open(&options, clock).await?))
    }

    async fn schema(&self, url: &StoreUrl) -> Result<Option<SchemaStatus>> {
        let status = mysql::schema_status(&read(url).await?).await?;
        Ok(Some(sql::status(status)))
    }

    async fn migrate(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Option<SchemaStatus>> {
        let status = mysql::migrate(&read(url).await?, &*clock).await?;
        Ok(Some(sql::status(status)))
    }

    async fn remove(&self, url: &StoreUrl) -> Result<()> {
        mysql::drop_namespace(&read(url).await?).await
    }
}
