//! The schema of a namespace, and the steps that lead to the newest.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row, query, raw_sql};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{ErrorKind, StoreId, Timestamp};

use super::connect::Server;
use super::failure;
use super::namespace::Namespace;
use super::statements::text;
use crate::pool::Connector;
use crate::schema::{Schema, Step, Watch};

const STEPS: &[Step] = &[
    Step {
        version: 1,
        name: "tokens",
        sql: include_str!("migrations/0001_tokens.sql"),
    },
    Step {
        version: 2,
        name: "feed",
        sql: include_str!("migrations/0002_feed.sql"),
    },
];

/// One connection that looks after a namespace's schema.
pub(super) struct PostgresSchema {
    pub(super) server: Arc<Server>,
    pub(super) connection: PgConnection,
    pub(super) namespace: Namespace,
}

impl PostgresSchema {
    /// Runs one statement that takes no values.
    async fn run(&mut self, sql: String) -> Outcome<()> {
        let done = raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection);
        done.await.map(|_| ()).map_err(failure::of_statement)
    }

    /// Refuses a database that cannot hold what a token may hold.
    pub(super) async fn check_database(&mut self) -> Outcome<()> {
        let asked =
            query("SELECT current_setting('server_encoding')").fetch_one(&mut self.connection);
        let row = asked.await.map_err(failure::of_statement)?;
        let encoding: String = row.try_get(0).map_err(failure::of_statement)?;
        if encoding == "UTF8" {
            return Ok(());
        }
        let problem = format!("the database's encoding is {encoding}, and UTF8 is needed");
        Err(Failure::refused(ErrorKind::Config, problem))
    }

    async fn has_schema(&mut self) -> Outcome<bool> {
        let found = query("SELECT 1 FROM pg_namespace WHERE nspname = $1")
            .bind(self.namespace.as_str())
            .fetch_optional(&mut self.connection);
        Ok(found.await.map_err(failure::of_statement)?.is_some())
    }

    async fn has_table(&mut self, table: &str) -> Outcome<bool> {
        let found = query(
            "SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = $2",
        )
        .bind(self.namespace.as_str())
        .bind(table)
        .fetch_optional(&mut self.connection);
        Ok(found.await.map_err(failure::of_statement)?.is_some())
    }

    /// Waits until no other node migrates, as long as the session's lock timeout says.
    async fn take_lock(&mut self) -> Outcome<()> {
        let locked = query("SELECT pg_advisory_lock($1)")
            .bind(self.lock_key())
            .execute(&mut self.connection);
        locked.await.map(|_| ()).map_err(failure::of_statement)
    }

    /// Other programs take other locks, and other namespaces too but for a rare chance, which costs
    /// a wait.
    fn lock_key(&self) -> i64 {
        let name = format!("tokenkeep {}", self.namespace.as_str());
        // FNV-1a: the same in every build, since nodes of several take the lock.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash.cast_signed()
    }
}

#[async_trait]
impl Schema for PostgresSchema {
    fn steps(&self) -> &'static [Step] {
        STEPS
    }

    async fn applied(&mut self) -> Outcome<Vec<u32>> {
        if !self.has_table("migrations").await? {
            return Ok(Vec::new());
        }
        let migrations = self.namespace.table("migrations");
        let sql = format!("SELECT version FROM {migrations} ORDER BY version");
        let rows = query(text(sql)).fetch_all(&mut self.connection);
        let rows = rows.await.map_err(failure::of_statement)?;
        let version = |row: &sqlx::postgres::PgRow| {
            let version: i64 = row.try_get(0).map_err(failure::of_statement)?;
            u32::try_from(version).map_err(|_| {
                let problem = "migrations.version: is out of range";
                Failure::refused(ErrorKind::Corrupt, problem)
            })
        };
        rows.iter().map(version).collect()
    }

    async fn lock(&mut self) -> Outcome<()> {
        // Making a schema or a table if it is not there fails where two do so at once, so the lock
        // comes first.
        self.take_lock().await?;
        // Asked first: an account may own a schema without the privilege to make one.
        if !self.has_schema().await? {
            self.run(format!("CREATE SCHEMA {}", self.namespace.schema()))
                .await?;
        }
        if !self.has_table("migrations").await? {
            self.run(format!(
                "CREATE TABLE {} (version bigint NOT NULL PRIMARY KEY, name text NOT NULL, \
                 applied_at bigint NOT NULL)",
                self.namespace.table("migrations")
            ))
            .await?;
        }
        Ok(())
    }

    async fn apply(&mut self, step: &Step, now: Timestamp) -> Outcome<()> {
        let schema = self.namespace.schema();
        let note = format!(
            "INSERT INTO {} (version, name, applied_at) VALUES ($1, $2, $3)",
            self.namespace.table("migrations")
        );
        let begin = self.connection.begin().await;
        let mut transaction = begin.map_err(failure::of_statement)?;
        // The step's own names are found here, and nowhere else.
        let path = format!("SET LOCAL search_path = {schema}, pg_catalog");
        let steps = [path, step.sql.to_owned()];
        for sql in steps {
            let done = transaction.execute(raw_sql(AssertSqlSafe(sql)));
            done.await.map_err(failure::of_statement)?;
        }
        // A store gets its number with its first step.
        let number = query("INSERT INTO store (id) SELECT $1 WHERE NOT EXISTS (SELECT FROM store)")
            .bind(StoreId::generate().to_u64().cast_signed());
        let note = query(text(note))
            .bind(i64::from(step.version))
            .bind(step.name)
            .bind(now.as_micros());
        for statement in [number, note] {
            let done = transaction.execute(statement);
            done.await.map_err(failure::of_statement)?;
        }
        // The answer to this one may be lost after it was applied; that is seen at the next look.
        transaction.commit().await.map_err(failure::of_statement)
    }

    async fn watch(&mut self) -> Outcome<Option<Box<dyn Watch>>> {
        let row = query("SELECT pg_backend_pid()").fetch_one(&mut self.connection);
        let row = row.await.map_err(failure::of_statement)?;
        Ok(Some(Box::new(SessionWatch {
            server: Arc::clone(&self.server),
            process: row.try_get(0).map_err(failure::of_statement)?,
        })))
    }

    async fn unlock(&mut self) -> Outcome<()> {
        let unlocked = query("SELECT pg_advisory_unlock($1)")
            .bind(self.lock_key())
            .execute(&mut self.connection);
        unlocked.await.map(|_| ()).map_err(failure::of_statement)
    }

    /// Removes the tables first and then the schema, which fails where something else stands in it.
    async fn drop_namespace(&mut self) -> Outcome<()> {
        self.take_lock().await?;
        if !self.has_schema().await? {
            return Ok(());
        }
        let table = |name| self.namespace.table(name);
        let sql = format!(
            "DROP TABLE IF EXISTS {}, {}, {}; DROP SCHEMA {}",
            table("tokens"),
            table("store"),
            table("migrations"),
            self.namespace.schema()
        );
        self.run(sql).await
    }
}

/// Looks after a session by its process on the server.
struct SessionWatch {
    server: Arc<Server>,
    process: i32,
}

#[async_trait]
impl Watch for SessionWatch {
    async fn is_there(&self) -> Outcome<bool> {
        let mut connection = self.server.connect().await?;
        let found = query("SELECT 1 FROM pg_stat_activity WHERE pid = $1")
            .bind(self.process)
            .fetch_optional(&mut connection);
        let found = found.await.map_err(failure::of_statement)?;
        // What is to be known is known, and the server ends the session by itself.
        let _ = connection.close().await;
        Ok(found.is_some())
    }
}
