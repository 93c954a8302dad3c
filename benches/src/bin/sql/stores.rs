//! Two stores with the same tokens on one server: one for the driver, one for the raw client.

use std::any::Any;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tempfile::TempDir;
use tokenkeep_benches::{RawMysql, RawPostgres, RawSql, RawSqlite, Store, Tokens, store};
use tokenkeep_core::{Clock, ManualClock, Result, SystemClock, TokenDriver};
use tokenkeep_sql::{
    ServerOptions, SqlDriver, SqlOptions, SqliteOptions, Tls, TlsMode, mysql, postgres, sqlite,
};
use tokenkeep_testkit::{Server, Settings};

type Fallible<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const BATCH: usize = 1_000;
/// sqlx's pool is as large as suits it best at 16 and 64 callers.
const RAW_POOL: u32 = 16;

/// Two stores with the same tokens, and what must live as long.
pub(crate) struct Stores {
    pub(crate) name: String,
    pub(crate) store: Store,
    pub(crate) raw: Arc<dyn RawSql>,
    /// The server or the folder; it goes after the stores in it.
    _place: Box<dyn Any + Send + Sync>,
}

impl Stores {
    /// On a PostgreSQL server of its own, with room for the data in memory.
    pub(crate) async fn postgres(size: usize) -> Fallible<Self> {
        let settings = Settings::new()
            .with_option("shared_buffers", "512MB")
            .with_option("max_wal_size", "4GB");
        let server = Server::postgres(&settings)?;
        let clock = manual_clock();
        let options = |namespace| server_options(&server, server.database(), namespace);
        let ours = postgres::open(&options("ours"), clock_of(&clock)).await?;
        let theirs = postgres::open(&options("raw"), clock_of(&clock)).await?;
        fill(&clock, size, &ours, &theirs).await?;
        for text in [
            "VACUUM ANALYZE ours.tokens",
            "VACUUM ANALYZE raw.tokens",
            "CHECKPOINT",
        ] {
            server.sql(text)?;
        }
        let connect = PgConnectOptions::new_without_pgpass()
            .host(server.host())
            .port(server.port())
            .username(server.user())
            .password(server.password())
            .database(server.database())
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(RAW_POOL)
            .test_before_acquire(false)
            .connect_with(connect)
            .await?;
        let raw = Arc::new(RawPostgres::new(pool, "raw"));
        let place = Box::new(server);
        Self::made(clock, size, ours, raw, place).await
    }

    /// On a MariaDB server of its own, with room for the data in memory.
    pub(crate) async fn mysql(size: usize) -> Fallible<Self> {
        let settings = Settings::new()
            .with_option("innodb_buffer_pool_size", "1G")
            .with_option("innodb_log_file_size", "1G");
        let server = Server::mariadb(&settings)?;
        let clock = manual_clock();
        let options = |namespace| server_options(&server, namespace, namespace);
        let ours = mysql::open(&options("ours"), clock_of(&clock)).await?;
        let theirs = mysql::open(&options("raw"), clock_of(&clock)).await?;
        fill(&clock, size, &ours, &theirs).await?;
        server.sql("ANALYZE TABLE ours.tokens, raw.tokens")?;
        let connect = MySqlConnectOptions::new()
            .host(server.host())
            .port(server.port())
            .username(server.user())
            .password(server.password())
            .database("raw")
            .disable_statement_logging();
        let pool = MySqlPoolOptions::new()
            .max_connections(RAW_POOL)
            .test_before_acquire(false)
            .connect_with(connect)
            .await?;
        let raw = Arc::new(RawMysql::new(pool));
        let place = Box::new(server);
        Self::made(clock, size, ours, raw, place).await
    }

    /// On two SQLite files beside each other.
    pub(crate) async fn sqlite(folder: &Path, size: usize) -> Fallible<Self> {
        let folder = TempDir::new_in(folder)?;
        let clock = manual_clock();
        let options = SqliteOptions::new(folder.path().join("ours.db"));
        let ours = sqlite::open(&options, clock_of(&clock)).await?;
        let file = folder.path().join("raw.db");
        let theirs = sqlite::open(&SqliteOptions::new(&file), clock_of(&clock)).await?;
        fill(&clock, size, &ours, &theirs).await?;
        drop(theirs);
        let writer = sqlite_pool(&file, 1).await?;
        let readers = sqlite_pool(&file, 4).await?;
        let raw = RawSqlite::new(writer, readers);
        let place = Box::new(folder);
        Self::made(clock, size, ours, Arc::new(raw), place).await
    }

    async fn made(
        clock: Arc<ManualClock>,
        size: usize,
        ours: SqlDriver,
        raw: Arc<dyn RawSql>,
        place: Box<dyn Any + Send + Sync>,
    ) -> Fallible<Self> {
        let info = ours.check().await?;
        Ok(Self {
            name: format!("{} {}, {size} tokens", info.driver, info.version),
            store: Store::new(Arc::new(ours), clock, size),
            raw,
            _place: place,
        })
    }
}

fn manual_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(SystemClock.now()))
}

fn clock_of(clock: &Arc<ManualClock>) -> Arc<dyn Clock> {
    Arc::clone(clock) as Arc<dyn Clock>
}

fn server_options(server: &Server, database: &str, namespace: &str) -> ServerOptions {
    ServerOptions {
        host: server.host().to_owned(),
        port: server.port(),
        user: server.user().to_owned(),
        password: Some(server.password().to_owned().into()),
        database: database.to_owned(),
        namespace: namespace.to_owned(),
        tls: Tls {
            mode: TlsMode::Disable,
            ..Tls::default()
        },
        statement_timeout: None,
        common: SqlOptions::default(),
    }
}

/// The settings that the driver gives its own connections, so that both do the same work.
async fn sqlite_pool(file: &Path, connections: u32) -> Fallible<SqlitePool> {
    let connect = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "16384")
        .pragma("cache_size", "-65536")
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .connect_with(connect)
        .await?;
    Ok(pool)
}

/// Gives both stores the same tokens.
async fn fill(
    clock: &ManualClock,
    size: usize,
    ours: &SqlDriver,
    theirs: &SqlDriver,
) -> Fallible<()> {
    let tokens = Tokens::new(clock.now());
    for start in (0..size).step_by(BATCH) {
        let batch = (start..size.min(start + BATCH)).map(|number| tokens.token(number));
        let batch: Vec<_> = batch.collect::<Result<_>>()?;
        store(ours, batch.clone()).await?;
        store(theirs, batch).await?;
    }
    Ok(())
}
