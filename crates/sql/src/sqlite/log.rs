//! The length of the log.
//!
//! SQLite begins the log anew when a commit finds it wholly in the file and nobody reading from it.
//! Readers that overlap without end keep that from happening, however short each is, and the log grows.
//! So a writer that finds it long has SQLite hold back the next readers for a moment: new ones read
//! the file alone then, and the last of the old ones lets go.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::failure::failed;
use crate::failure::Outcome;

/// The journal mode of a store.
pub(super) const MODE: &str = "wal";

/// Pages of the log after which a commit writes them into the file: 64 MiB. Each token dirties
/// pages all over the file, and a small log would write the same ones again and again.
pub(super) const CHECKPOINT_PAGES: &str = "16384";

/// To how many bytes the log is cut when it begins anew: those of a checkpoint, which the next will
/// need again.
pub(super) const KEPT_BYTES: &str = "67108864";

/// A log of more bytes than this is to begin anew.
pub(super) const LONG: u64 = 2 * (64 << 20);

/// A log of more bytes than this is an operator's matter.
pub(super) const TOO_LONG: u64 = 8 * (64 << 20);

/// How long an attempt may wait for readers: callers that write wait behind it.
const PATIENCE: Duration = Duration::from_millis(25);

/// How long after an attempt there is no other.
pub(super) const REST: Duration = Duration::from_secs(1);

/// Lets the log begin anew at the next commit, unless a reader is slow.
pub(super) async fn restart(connection: &mut SqliteConnection, busy: Duration) -> Outcome<()> {
    wait_for(connection, PATIENCE.min(busy)).await?;
    let restarted = sqlx::query("PRAGMA wal_checkpoint(RESTART)")
        .execute(&mut *connection)
        .await;
    wait_for(connection, busy).await?;
    restarted.map(|_| ()).map_err(failed)
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
