//! SQLite: `sqlite:PATH`.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_sql::{SqliteOptions, sqlite};

use super::sql;
use crate::{Clock, Result, SchemaStatus, StoreFactory, StoreUrl, TokenDriver};

/// Opens SQLite files.
pub(super) struct SqliteFactory;

fn read(url: &StoreUrl) -> Result<SqliteOptions> {
    if url.options().text("namespace").is_some() {
        return Err(url.fault("has no option `namespace`: another file is another namespace"));
    }
    let path = url.path()?;
    if path == Path::new(":memory:") {
        return Err(url.fault("names no file; a store in memory is `memory:`"));
    }
    let mut options = SqliteOptions::new(path);
    let mut given = url.options();
    if let Some(create) = given.choice("create", &[("true", true), ("false", false)])? {
        options.create = create;
    }
    options.common = sql::take_common(&mut given)?;
    given.finish()?;
    Ok(options)
}

#[async_trait]
impl StoreFactory for SqliteFactory {
    async fn open(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
        Ok(Arc::new(sqlite::open(&read(url)?, clock).await?))
    }

    async fn schema(&self, url: &StoreUrl) -> Result<Option<SchemaStatus>> {
        let status = sqlite::schema_status(&read(url)?).await?;
        Ok(Some(sql::status(status)))
    }

    async fn migrate(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Option<SchemaStatus>> {
        let status = sqlite::migrate(&read(url)?, &*clock).await?;
        Ok(Some(sql::status(status)))
    }

    async fn remove(&self, url: &StoreUrl) -> Result<()> {
        sqlite::drop_namespace(&read(url)?).await
    }
}
