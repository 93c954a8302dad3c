//! Takes the locks of an SQLite file from outside, as another program would that holds it.
//!
//! SQLite in WAL mode locks single bytes of the file that ends in `-shm`. The locks here belong to an
//! open file, not to the process, so that they stand against SQLite in this very process too.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use tokenkeep_core::{Error, ErrorKind, Result};

/// The byte of the one writer.
const WRITE: libc::off_t = 120;
/// The bytes of the writer, the checkpoint, recovery and the five groups of readers.
const ALL: std::ops::Range<libc::off_t> = WRITE..128;

/// How long SQLite's own locks may stand in the way.
const BOUND: Duration = Duration::from_secs(30);

/// A holder of an SQLite file's locks.
///
/// # Behavior
///
/// - Keep it as long as the store: closing any handle on the file makes the system forget the locks
///   that SQLite has in this process, which other processes would then not see.
/// - Dropped, it lets go of what it holds.
#[derive(Debug)]
pub struct SqliteLocks(File);

impl SqliteLocks {
    /// For a database whose store is open. Holds nothing yet.
    ///
    /// # Errors
    ///
    /// `Config` where there is no such file, or it is not open in WAL mode.
    pub fn of(database: &Path) -> Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-shm");
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.map(Self).map_err(|error| {
            Error::new(ErrorKind::Config, "the database is not open in WAL mode").with_source(error)
        })
    }

    /// Nobody can read or write from now on, as if another program held the file for good.
    ///
    /// # Errors
    ///
    /// `Unavailable` if that cannot be had within half a minute.
    ///
    /// # Cancel safety
    ///
    /// A part of the locks may be held: [`release`](Self::release) lets go of them.
    pub async fn hold_all(&self) -> Result<()> {
        for byte in ALL {
            self.hold(byte).await?;
        }
        Ok(())
    }

    /// Nobody can write from now on, as if another program were in the middle of a transaction.
    ///
    /// # Errors
    ///
    /// As [`hold_all`](Self::hold_all).
    ///
    /// # Cancel safety
    ///
    /// It is held or not.
    pub async fn hold_writes(&self) -> Result<()> {
        self.hold(WRITE).await
    }

    /// Lets go of everything.
    ///
    /// # Errors
    ///
    /// `Internal` if the system refuses.
    pub fn release(&self) -> Result<()> {
        self.set(libc::F_UNLCK, ALL.start, ALL.end - ALL.start)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot unlock").with_source(error))
    }

    async fn hold(&self, byte: libc::off_t) -> Result<()> {
        let began = Instant::now();
        while let Err(error) = self.set(libc::F_WRLCK, byte, 1) {
            if error != Errno::EAGAIN && error != Errno::EACCES || began.elapsed() > BOUND {
                let problem = "cannot have a lock of the database";
                return Err(Error::new(ErrorKind::Unavailable, problem).with_source(error));
            }
            // SQLite gives nobody a sign when it lets go of a lock.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    fn set(&self, kind: libc::c_int, start: libc::off_t, len: libc::off_t) -> nix::Result<()> {
        let lock = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: start,
            l_len: len,
            l_pid: 0,
        };
        fcntl(&self.0, FcntlArg::F_OFD_SETLK(&lock)).map(drop)
    }
}
