//! What a server is, and whether a store may trust it.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use tokenkeep_backend::Outcome;
use tokenkeep_core::{Durability, Error, ErrorKind, Result};

use super::failure;
use super::read::read;
use crate::gather::MAX_BATCH_BYTES;
use crate::options::SqlOptions;
use crate::row::Columns;

/// What a batch may hold beside the records' data: 64 records with every text at its longest.
const BATCH_OVERHEAD: usize = 256 * 1024;

/// The columns that [`Server::read`] reads from a row.
pub(super) const SETTINGS: &str = "VERSION(), \
     CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS SIGNED), \
     CAST(@@GLOBAL.log_bin AS SIGNED), CAST(@@GLOBAL.sync_binlog AS SIGNED), \
     CAST(@@GLOBAL.max_allowed_packet AS SIGNED)";

/// Asked apart, because the setting is about to go from MySQL, which then logs rows.
async fn logs_statements(connection: &mut MySqlConnection) -> Outcome<bool> {
    let rows = sqlx::query("SHOW GLOBAL VARIABLES LIKE 'binlog_format'")
        .fetch_all(connection)
        .await
        .map_err(failure::of_statement)?;
    let formats = read(&rows, |row| Ok(row.text(1)? == "STATEMENT"))?;
    Ok(formats.contains(&true))
}

/// Which of the two families a server is of; a few settings have other names in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    MariaDb,
    MySql,
}

/// A server's version, and its settings that matter.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) version: String,
    flush_log: i64,
    has_binlog: bool,
    sync_binlog: i64,
    max_packet: i64,
    logs_statements: bool,
}

impl Server {
    /// Asks a connection's server.
    pub(super) async fn ask(connection: &mut MySqlConnection) -> Outcome<Self> {
        let statement = sqlx::AssertSqlSafe(format!("SELECT {SETTINGS}"));
        let row = sqlx::query(statement).fetch_one(&mut *connection).await;
        let row = row.map_err(failure::of_statement)?;
        let mut server = Self::read(&row, 0).map_err(failure::of_row)?;
        server.logs_statements = server.has_binlog && logs_statements(connection).await?;
        Ok(server)
    }

    /// Reads [`SETTINGS`], which begin at this column of a row.
    pub(super) fn read(row: &MySqlRow, first: usize) -> Result<Self> {
        Ok(Self {
            version: row.text(first)?.to_owned(),
            flush_log: row.integer(first + 1)?,
            has_binlog: row.integer(first + 2)? != 0,
            sync_binlog: row.integer(first + 3)?,
            max_packet: row.integer(first + 4)?,
            logs_statements: false,
        })
    }

    pub(super) fn family(&self) -> Family {
        if self.version.contains("MariaDB") {
            Family::MariaDb
        } else {
            Family::MySql
        }
    }

    /// Refuses a server that cannot keep the contract with these options.
    pub(super) fn check(&self, options: &SqlOptions) -> Result<()> {
        let refuse = |problem: String| Err(Error::new(ErrorKind::Config, problem));
        if !self.is_new_enough() {
            return refuse(format!(
                "server version {}: MySQL 8.0.1 or MariaDB 10.6 is needed",
                self.version
            ));
        }
        // MariaDB's 3 flushes more than 1 does.
        if options.durability == Durability::Sync && !matches!(self.flush_log, 1 | 3) {
            return refuse(format!(
                "durability sync needs the server's innodb_flush_log_at_trx_commit to be 1; it is {}",
                self.flush_log
            ));
        }
        if self.logs_statements {
            return refuse(
                "the server's binlog_format is STATEMENT, by which it refuses to write as READ \
                 COMMITTED; ROW or MIXED is needed"
                    .to_owned(),
            );
        }
        let needed = options.limits.max_data_len.max(MAX_BATCH_BYTES) + BATCH_OVERHEAD;
        if usize::try_from(self.max_packet).is_ok_and(|most| most < needed) {
            return refuse(format!(
                "the server's max_allowed_packet is {}; at least {needed} is needed",
                self.max_packet
            ));
        }
        Ok(())
    }

    /// What an operator should mend.
    pub(super) fn warnings(&self, durability: Durability) -> Vec<String> {
        let mut warnings = Vec::new();
        if durability != Durability::Sync {
            return warnings;
        }
        if !matches!(self.flush_log, 1 | 3) {
            warnings.push(format!(
                "innodb_flush_log_at_trx_commit is {}: a crash loses what was acknowledged; set it \
                 to 1",
                self.flush_log
            ));
        }
        if !self.has_binlog {
            warnings.push(
                "log_bin is off: a read can show a write shortly before it is on disk, and a crash \
                 then takes it back; turn the binary log on, with sync_binlog = 1"
                    .to_owned(),
            );
        } else if self.sync_binlog != 1 {
            warnings.push(format!(
                "sync_binlog is {}: a read can show a write shortly before it is on disk, and a \
                 crash then takes it back; set it to 1",
                self.sync_binlog
            ));
        }
        warnings
    }

    /// Tells whether the server knows `SKIP LOCKED`.
    fn is_new_enough(&self) -> bool {
        // Old MariaDB puts this before its own version, for the sake of old replicas.
        let version = self.version.strip_prefix("5.5.5-").unwrap_or(&self.version);
        let mut numbers = version
            .split(|letter: char| !letter.is_ascii_digit())
            .map(|number| number.parse::<u32>().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let version = (next(), next(), next());
        match self.family() {
            Family::MariaDb => version >= (10, 6, 0),
            Family::MySql => version >= (8, 0, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str) -> Server {
        Server {
            version: version.to_owned(),
            flush_log: 1,
            has_binlog: true,
            sync_binlog: 1,
            max_packet: 16 << 20,
            logs_statements: false,
        }
    }

    #[test]
    fn servers_without_skip_locked_are_refused() {
        let options = SqlOptions::default();
        for version in [
            "10.6.0-MariaDB",
            "10.11.19-MariaDB-0+deb12u1-log",
            "5.5.5-11.4.2-MariaDB",
            "8.0.1",
            "8.4.0-log",
            "9.1.0",
        ] {
            assert!(server(version).check(&options).is_ok(), "{version}");
        }
        for version in [
            "10.5.20-MariaDB",
            "5.5.5-10.4.8-MariaDB",
            "5.7.44",
            "8.0.0",
            "",
        ] {
            let error = server(version).check(&options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{version}");
        }
    }

    #[test]
    fn durability_sync_needs_a_server_that_flushes() {
        let relaxed = SqlOptions {
            durability: Durability::Relaxed,
            ..SqlOptions::default()
        };
        for (setting, is_durable) in [(0, false), (1, true), (2, false), (3, true)] {
            let mut server = server("8.0.36");
            server.flush_log = setting;
            let refused = server.check(&SqlOptions::default());
            assert_eq!(refused.is_ok(), is_durable, "{setting}");
            assert!(server.check(&relaxed).is_ok(), "{setting}");
        }
    }

    #[test]
    fn a_store_that_shows_writes_early_is_warned_about() {
        let mut server = server("8.0.36");
        assert_eq!(server.warnings(Durability::Sync), [""; 0]);
        server.sync_binlog = 0;
        assert!(server.warnings(Durability::Sync)[0].contains("sync_binlog is 0"));
        server.has_binlog = false;
        assert!(server.warnings(Durability::Sync)[0].contains("log_bin is off"));
        assert_eq!(server.warnings(Durability::Relaxed), [""; 0]);
    }

    #[test]
    fn a_log_of_statements_is_refused_whatever_the_durability() {
        let mut server = server("8.0.36");
        server.logs_statements = true;
        for durability in [Durability::Sync, Durability::Relaxed] {
            let options = SqlOptions {
                durability,
                ..SqlOptions::default()
            };
            let error = server.check(&options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains("binlog_format"));
        }
    }

    #[test]
    fn a_packet_has_to_hold_a_batch() {
        let mut server = server("8.0.36");
        server.max_packet = 1 << 20;
        let error = server.check(&SqlOptions::default()).unwrap_err();
        assert!(error.message().contains("max_allowed_packet"));
    }
}
