//! The length of the log.
//!
//! SQLite begins the log anew when a commit finds it wholly in the file and nobody reading from it.
//! Readers that overlap without end keep that from happening, however short each is, and the log grows.
//! So a writer that finds it long has SQLite hold back the next readers for a moment: new ones read
//! the file alone then, and the last of the old ones lets go.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::failure::failed;
use tokenkeep_backend::Outcome;

/// The journal mode of a store.
pub(super) const MODE: &str = "wal";

/// Pages of the log after which a commit writes them into the file: 64 MiB. Each token dirties
/// pages all over the file, and a small log would write the same ones again and again.
pub(super) const CHECKPOINT_PAGES: &str = "16384";

/// To how many bytes the log is cut when it begins anew: those of a checkpoint, which the next will
/// need again.
pub(super) const KEPT_BYTES: &str = "67108864";

/// A log of more bytes than this is to begin anew.
const LONG: u64 = 2 * (64 << 20);

/// A log of more bytes than this is an operator's matter.
const TOO_LONG: u64 = 8 * (64 << 20);

/// How long the first attempt waits for readers: callers that write wait behind it.
const FIRST_PATIENCE: Duration = Duration::from_millis(25);

/// How long the last attempts do, after ones in vain.
const MOST_PATIENCE: Duration = Duration::from_millis(200);

/// An attempt takes no more than a 20th of the writer's time.
const REST: u32 = 20;

/// When the log is next made to begin anew, and how patiently.
#[derive(Debug)]
pub(super) struct Restarts {
    patience: Duration,
    not_before: Option<Instant>,
}

impl Restarts {
    pub(super) const fn new() -> Self {
        Self {
            patience: FIRST_PATIENCE,
            not_before: None,
        }
    }

    /// Tells whether a log of this length should begin anew now.
    pub(super) fn is_due(&self, length: u64) -> bool {
        let has_rested = self.not_before.is_none_or(|then| then <= Instant::now());
        length > LONG && has_rested
    }

    /// Lets the log begin anew at the next commit, unless readers are slow.
    pub(super) async fn attempt(
        &mut self,
        connection: &mut SqliteConnection,
        busy: Duration,
    ) -> Outcome<()> {
        let most = MOST_PATIENCE.min(busy * 2);
        wait_for(connection, self.patience.min(most)).await?;
        let statement = sqlx::query("PRAGMA wal_checkpoint(RESTART)");
        let restarted = statement.fetch_one(&mut *connection).await;
        self.not_before = Some(Instant::now() + self.patience * REST);
        wait_for(connection, busy).await?;
        let was_busy: i64 = restarted.and_then(|row| row.try_get(0)).map_err(failed)?;
        self.patience = match was_busy {
            0 => FIRST_PATIENCE,
            _ => (self.patience * 2).min(most),
        };
        Ok(())
    }
}

async fn wait_for(connection: &mut SqliteConnection, busy: Duration) -> Outcome<()> {
    // A pragma takes no bound value.
    let text = AssertSqlSafe(format!("PRAGMA busy_timeout = {}", busy.as_millis()));
    let set = sqlx::query(text).execute(connection).await;
    set.map(|_| ()).map_err(failed)
}

/// What an operator should mend about a file that is kept in this way.
pub(super) fn mode_warning(mode: &str) -> Option<String> {
    (mode != MODE).then(|| {
        format!(
            "The file's journal mode is `{mode}`: readers and writers wait for each other; \
             `tokenkeep migrate` sets `{MODE}`."
        )
    })
}

/// What an operator should mend about a log of this length.
pub(super) fn warning(length: u64) -> Option<String> {
    (length > TOO_LONG).then(|| {
        format!(
            "The log beside the file has {} MiB: some program reads for so long that it cannot begin \
             anew.",
            length >> 20
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sqlx::Connection as _;
    use tokenkeep_core::{ManualClock, Timestamp};

    use crate::dialect::Dialect as _;
    use crate::options::SqliteOptions;
    use crate::sqlite::connector::{Connector, Role};
    use crate::sqlite::dialect::SqliteDialect;
    use crate::sqlite::file::StoreFile;
    use tokenkeep_backend::Call;

    use super::*;

    /// Another program can change the mode while no connection of the driver's is open.
    #[tokio::test]
    async fn a_file_without_a_log_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("a.db"));
        let clock = Arc::new(ManualClock::new(Timestamp::MIN));
        crate::sqlite::migrate(&options, &clock).await.unwrap();
        let connector = Connector::new(&options).await.unwrap();
        let mut connection = connector.open(Role::Writes, false).await.unwrap();
        let file = StoreFile::of(connector.file(), &mut connection).await;
        let dialect = SqliteDialect::new(&connector, file.unwrap(), 1).unwrap();
        let set = sqlx::query("PRAGMA journal_mode = DELETE");
        set.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();

        let call = Call::within(Duration::from_secs(10));
        let found = dialect.check(&call).await.unwrap();
        assert_eq!(found.warnings.len(), 1);
        assert!(found.warnings[0].contains("`delete`"), "{found:?}");
    }
}
