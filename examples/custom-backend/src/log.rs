//! The file: one line for each atomic change.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokenkeep::{Error, ErrorKind, Result, StoreId};

use crate::row::Row;
use crate::state::{Change, Entry, State};

/// One line of the file. The first alone names the store.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    put: Vec<Row>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
}

/// The open file, locked against other processes for as long as it lives.
pub(crate) struct Log {
    /// None once it is closed, by request or because a write failed halfway.
    file: Option<File>,
    /// The length of what is whole and on disk.
    len: u64,
}

impl Log {
    /// Opens the file, or makes it, and applies its lines.
    pub(crate) fn open(path: &Path) -> Result<(Self, State, StoreId)> {
        let unusable = |error: std::io::Error| {
            let problem = format!("cannot use {}: {error}", path.display());
            Error::new(ErrorKind::Config, problem)
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(unusable)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let problem = format!("{} is in use elsewhere", path.display());
                Error::new(ErrorKind::Unavailable, problem)
            }
            TryLockError::Error(error) => unusable(error),
        })?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(unusable)?;
        // A last line without an end was never acknowledged.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        let (state, store) = replay(path, &text)?;
        file.set_len(text.len() as u64).map_err(unusable)?;
        let mut log = Self {
            file: Some(file),
            len: text.len() as u64,
        };
        let store = match store {
            Some(store) => store,
            None => log.name_store(path, StoreId::generate())?,
        };
        Ok((log, state, store))
    }

    /// Writes a change; when this returns `Ok` it is on disk.
    pub(crate) fn append(&mut self, change: &Change) -> Result<()> {
        self.append_line(&Line {
            store: None,
            put: change.put.iter().map(Row::from).collect(),
            remove: change.remove.iter().map(ToString::to_string).collect(),
        })
    }

    /// Lets go of the file; from now on nothing is written.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// Writes the first line, and brings the file's name in its folder to disk.
    fn name_store(&mut self, path: &Path, store: StoreId) -> Result<StoreId> {
        self.append_line(&Line {
            store: Some(store.to_u64()),
            ..Line::default()
        })?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(|error| fault("the folder could not be brought to disk").with_source(error))?;
        Ok(store)
    }

    fn append_line(&mut self, line: &Line) -> Result<()> {
        let file = self.file.as_mut();
        let file =
            file.ok_or_else(|| fault("the file is closed; a write may have failed before"))?;
        let mut text = serde_json::to_vec(line)
            .map_err(|error| Error::new(ErrorKind::Internal, "no JSON").with_source(error))?;
        text.push(b'\n');
        if let Err(error) = file.write_all(&text) {
            // What stands there of the line is taken back, lest the next one be joined to it.
            if file.set_len(self.len).is_err() {
                self.close();
            }
            return Err(fault("the file cannot be written").with_source(error));
        }
        if let Err(error) = file.sync_data() {
            self.close();
            let problem = "the file could not be brought to disk";
            return Err(Error::new(ErrorKind::Indeterminate, problem).with_source(error));
        }
        self.len += text.len() as u64;
        Ok(())
    }
}

fn replay(path: &Path, text: &str) -> Result<(State, Option<StoreId>)> {
    let mut state = State::default();
    let mut store = None;
    for (index, line) in text.lines().enumerate() {
        let corrupt = |problem: &str| {
            let place = format_args!("{}, line {}", path.display(), index + 1);
            Error::corrupt(place, problem)
        };
        let line: Line = serde_json::from_str(line).map_err(|_| corrupt("makes no sense"))?;
        if line.store.is_some() != (index == 0) {
            return Err(corrupt("the store is named in the first line alone"));
        }
        store = store.or(line.store.map(StoreId::from_u64));
        let put = line
            .put
            .into_iter()
            .map(Entry::try_from)
            .collect::<Result<_>>();
        let remove = line
            .remove
            .iter()
            .map(|id| id.parse())
            .collect::<Result<_>>();
        state.apply(Change {
            put: put.map_err(|error| corrupt(error.message()))?,
            remove: remove.map_err(|error| corrupt(error.message()))?,
        });
    }
    Ok((state, store))
}

/// Surely nothing was written.
fn fault(problem: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, problem)
}
