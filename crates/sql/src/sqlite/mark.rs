//! What the system calls a file, whatever its path leads to later.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// A file at a path.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    path: PathBuf,
    number: Number,
}

impl Mark {
    /// The file that is there. Blocks as long as the disk does.
    pub(super) fn of(path: PathBuf) -> io::Result<Self> {
        let number = number(&path.metadata()?);
        Ok(Self { path, number })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether the path still leads to the file; an error says that nobody knows. Blocks as long
    /// as the disk does.
    pub(super) fn is_there(&self) -> io::Result<bool> {
        self.length().map(|length| length.is_some())
    }

    /// The file's length, if the path still leads to it. Blocks as long as the disk does.
    pub(super) fn length(&self) -> io::Result<Option<u64>> {
        match self.path.metadata() {
            Ok(found) => Ok((number(&found) == self.number).then_some(found.len())),
            Err(error) if is_absence(error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

const fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The device, and the file's number there: no other file has it as long as this one is open.
#[cfg(unix)]
type Number = (u64, u64);

#[cfg(unix)]
fn number(file: &Metadata) -> Number {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

/// Elsewhere a file that is open can neither be removed nor replaced.
#[cfg(not(unix))]
type Number = ();

#[cfg(not(unix))]
fn number(_: &Metadata) -> Number {}
