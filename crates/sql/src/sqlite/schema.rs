//! The schema of a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Connection, Row, SqliteConnection};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{ErrorKind, StoreId, Timestamp};
use tokio::time::timeout;

use super::connector::{Connector, Role};
use super::failure::{failed, opening, reading};
use super::file::{StoreFile, beside, blocking, exists, gone};
use super::mark::Mark;
use super::patience::Patience;
use super::{log, statements};
use crate::schema::{Schema, Step};

const STEPS: [Step; 2] = [
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

/// The mark of a store's file, which its first step sets.
const APPLICATION_ID: i64 = 1_416_317_808;

/// Whose the file is, and whether anything is in it: one look, since another node may be making it.
const OWNER: &str = "SELECT application_id, EXISTS (SELECT 1 FROM sqlite_master) \
    FROM pragma_application_id";

/// SQLite itself does not wait for others here.
const KEEP_LOG: &str = "PRAGMA journal_mode = WAL";

/// One connection that looks after a file's schema, once one is needed.
pub(super) struct SqliteSchema {
    connector: Connector,
    opened: Option<Opened>,
}

/// A connection, and the file that it is to.
struct Opened {
    connection: SqliteConnection,
    mark: Mark,
}

impl SqliteSchema {
    pub(super) fn new(connector: &Connector) -> Self {
        Self {
            connector: connector.clone(),
            opened: None,
        }
    }

    /// Closes the file, and waits a moment until that is done.
    pub(super) async fn close(mut self) {
        if let Some(opened) = self.opened.take() {
            // A transaction that is still open ends with it; where the disk stands still, some time later.
            let _ = timeout(self.connector.margin(), opened.connection.close()).await;
        }
    }

    fn connection(&mut self) -> Outcome<&mut SqliteConnection> {
        let opened = self.opened.as_mut();
        opened
            .map(|opened| &mut opened.connection)
            .ok_or_else(not_open)
    }

    /// Whether the path still leads to the file that is open: `None` if to no file at all.
    async fn is_in_place(&self) -> Outcome<Option<bool>> {
        let opened = self.opened.as_ref().ok_or_else(not_open)?;
        let mark = opened.mark.clone();
        let found = blocking(move || (mark.is_there(), exists(mark.path()))).await?;
        match found {
            (Ok(true), _) => Ok(Some(true)),
            (Ok(false), false) => Ok(None),
            (Ok(false), true) => Ok(Some(false)),
            (Err(_), _) => Err(Failure::refused(
                ErrorKind::Unavailable,
                "the file cannot be looked at",
            )),
        }
    }

    fn refused(&self, problem: &str) -> Failure {
        let path = self.connector.path();
        Failure::refused(ErrorKind::Config, format!("{path} {problem}"))
    }

    /// Whether the file has our tables: none has, one of another program's is refused.
    async fn has_tables(&mut self) -> Outcome<bool> {
        let owner = sqlx::query(OWNER).fetch_one(self.connection()?).await;
        let owner = owner.map_err(opening)?;
        let mark: i64 = owner.try_get(0).map_err(opening)?;
        let has_tables: bool = owner.try_get(1).map_err(opening)?;
        match (mark, has_tables) {
            (APPLICATION_ID, _) | (0, false) => Ok(has_tables),
            _ => Err(self.refused(
                "holds another program's tables: its application id is not a Tokenkeep store's",
            )),
        }
    }

    async fn is_there(&self) -> Outcome<bool> {
        let path = self.connector.file().to_owned();
        blocking(move || exists(&path)).await
    }

    /// The file, as the store that it is.
    pub(super) async fn file(&mut self) -> Outcome<Arc<StoreFile>> {
        let path = self.connector.file().to_owned();
        StoreFile::of(&path, self.connection()?).await
    }

    /// Whether the file is kept with a log, as a copy that SQLite made of it is not.
    pub(super) async fn has_log(&mut self) -> Outcome<bool> {
        let mode = sqlx::query("PRAGMA journal_mode");
        let row = mode.fetch_one(self.connection()?).await;
        let mode: String = row.and_then(|row| row.try_get(0)).map_err(opening)?;
        Ok(mode == log::MODE)
    }

    /// Keeps the file with a log from here on: the file itself remembers that.
    pub(super) async fn keep_log(&mut self) -> Outcome<()> {
        let patience = self.patience();
        self.run_in_the_end(KEEP_LOG, patience).await
    }

    async fn run(&mut self, statement: &'static str) -> Outcome<()> {
        let done = sqlx::raw_sql(statement).execute(self.connection()?).await;
        done.map(|_| ()).map_err(failed)
    }

    fn patience(&self) -> Patience {
        Patience::new(self.connector.patience())
    }

    /// Opens the file if it is not open; as often as another program holds it.
    async fn open(&mut self, create: bool, patience: Patience) -> Outcome<()> {
        while self.opened.is_none() {
            match self.open_once(create).await {
                Ok(opened) => self.opened = Some(opened),
                Err(failure) => patience.wait_after(failure).await?,
            }
        }
        Ok(())
    }

    async fn open_once(&self, create: bool) -> Outcome<Opened> {
        let path = || self.connector.file().to_owned();
        // Before it is opened: what took its place by then is not what was marked.
        let (before, new) = (path(), path());
        let before = blocking(move || Mark::of(before).ok()).await?;
        let connection = self.connector.open(Role::Writes, create).await;
        let connection = connection.map_err(opening)?;
        let mark = match before {
            Some(mark) => mark,
            None => blocking(move || Mark::of(new)).await?.map_err(|_| gone())?,
        };
        Ok(Opened { connection, mark })
    }

    /// The steps that were applied to the file, none where it may yet be made.
    async fn look(&mut self, patience: Patience) -> Outcome<Vec<u32>> {
        if self.opened.is_none() {
            if !self.is_there().await? {
                return match self.connector.may_create() {
                    true => Ok(Vec::new()),
                    false => Err(self.refused("does not exist")),
                };
            }
            self.open(false, patience).await?;
        }
        loop {
            match self.versions().await {
                Ok(versions) => return Ok(versions),
                // Another node makes the schema.
                Err(failure) => patience.wait_after(failure).await?,
            }
        }
    }

    /// The steps that were applied to the file, which is open.
    async fn versions(&mut self) -> Outcome<Vec<u32>> {
        if !self.has_tables().await? {
            return Ok(Vec::new());
        }
        let versions = sqlx::query("SELECT version FROM migrations ORDER BY version");
        let rows = versions.fetch_all(self.connection()?).await;
        let rows = rows.map_err(reading)?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(reading))
            .collect()
    }

    /// As often as another program holds the file.
    async fn run_in_the_end(&mut self, statement: &'static str, patience: Patience) -> Outcome<()> {
        while let Err(failure) = self.run(statement).await {
            patience.wait_after(failure).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Schema for SqliteSchema {
    fn steps(&self) -> &'static [Step] {
        &STEPS
    }

    async fn applied(&mut self) -> Outcome<Vec<u32>> {
        let patience = self.patience();
        self.look(patience).await
    }

    async fn lock(&mut self) -> Outcome<()> {
        let patience = self.patience();
        self.open(self.connector.may_create(), patience).await?;
        self.run_in_the_end(KEEP_LOG, patience).await?;
        self.run_in_the_end(statements::BEGIN, patience).await?;
        match self.is_in_place().await? {
            Some(true) => Ok(()),
            _ => Err(gone()),
        }
    }

    async fn apply(&mut self, step: &Step, now: Timestamp) -> Outcome<()> {
        self.run(step.sql).await?;
        let connection = self.connection()?;
        if step.version == 1 {
            sqlx::query("INSERT INTO store (only, id) VALUES (1, ?)")
                .bind(StoreId::generate().to_u64().cast_signed())
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
        sqlx::query("INSERT INTO migrations (version, name, applied_at) VALUES (?, ?, ?)")
            .bind(step.version)
            .bind(step.name)
            .bind(now.as_micros())
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(failed)
    }

    async fn unlock(&mut self) -> Outcome<()> {
        self.run(statements::COMMIT).await
    }

    async fn drop_namespace(&mut self) -> Outcome<()> {
        if !self.is_there().await? {
            return Ok(());
        }
        let patience = self.patience();
        // Refuses what is no store of ours.
        self.look(patience).await?;
        // Nobody writes, nor makes a schema, while the files go.
        self.run_in_the_end(statements::BEGIN, patience).await?;
        match self.is_in_place().await? {
            Some(true) => {}
            // Another node has removed it.
            None => return Ok(()),
            Some(false) => return Err(gone()),
        }
        let path = self.connector.file().to_owned();
        let removed = blocking(move || remove(&path)).await?;
        removed.map_err(|_| self.refused("cannot be removed"))?;
        if let Some(opened) = self.opened.take() {
            // SQLite notices that the file is gone, and leaves alone what others make in its place.
            opened.connection.close().await.map_err(failed)?;
        }
        Ok(())
    }
}

fn not_open() -> Failure {
    Failure::refused(ErrorKind::Internal, "the file is not open")
}

/// Removes a store's files. The file itself goes last: what lies beside it then is a new store's.
fn remove(file: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        match std::fs::remove_file(beside(file, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
