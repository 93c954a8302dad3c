//! The files of an embedded store, for the hooks of its [`Store`](crate::Store).
//!
//! A store may be writing while a hook reads its files, one after the other. What is read so can
//! be a state that never was, with the end of one file older than what another says of it: damage,
//! which no killed process leaves behind. These functions give what there was at one instant.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokenkeep_core::{Error, ErrorKind, Result};

/// How long two readings of a folder may take to agree.
const STILL: Duration = Duration::from_secs(60);

/// What is in a folder, by the paths in it; `None` stands for a folder.
type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Copies a folder as it is at one instant: for [`Store::kill`](crate::Store::kill).
///
/// # Behavior
///
/// - The folder is read until two readings in a row agree; blocks until then.
/// - `to` is made if it is missing, and what it has already stays there.
/// - Symbolic links are followed, rights and times are not copied.
///
/// # Errors
///
/// `Unavailable` if a file cannot be read or written, or the folder does not hold still for a minute.
pub fn copy_of_one_instant(from: &Path, to: &Path) -> Result<()> {
    let image = image(from)?;
    write(&image, to).map_err(|error| fault(to, error))
}

/// Gives every byte of the files in a folder as they are at one instant: for
/// [`Store::contents`](crate::Store::contents).
///
/// # Behavior
///
/// - The folder is read until two readings in a row agree; blocks until then.
///
/// # Errors
///
/// `Unavailable` if a file cannot be read, or the folder does not hold still for a minute.
pub fn bytes_of_one_instant(folder: &Path) -> Result<Vec<u8>> {
    let files = image(folder)?.into_values().flatten();
    Ok(files.flatten().collect())
}

/// Two readings that agree show what was there between the end of the first and the beginning of
/// the second.
fn image(folder: &Path) -> Result<Image> {
    let began = Instant::now();
    let mut before = None;
    while began.elapsed() < STILL {
        let mut image = Image::new();
        match read(folder, Path::new(""), &mut image) {
            Ok(()) if before.as_ref() == Some(&image) => return Ok(image),
            Ok(()) => before = Some(image),
            // A file was removed while the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.exists() => {
                before = None;
            }
            Err(error) => return Err(fault(folder, error)),
        }
    }
    let problem = format!("{} did not hold still for {STILL:?}", folder.display());
    Err(Error::new(ErrorKind::Unavailable, problem))
}

fn read(folder: &Path, within: &Path, image: &mut Image) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(within))? {
        let entry = entry?;
        let path = within.join(entry.file_name());
        if entry.path().is_dir() {
            read(folder, &path, image)?;
            image.insert(path, None);
        } else {
            image.insert(path, Some(fs::read(entry.path())?));
        }
    }
    Ok(())
}

fn write(image: &Image, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // A folder comes before what is in it.
    for (path, content) in image {
        let path = folder.join(path);
        match content {
            None => fs::create_dir_all(path)?,
            Some(bytes) => fs::write(path, bytes)?,
        }
    }
    Ok(())
}

fn fault(path: &Path, error: io::Error) -> Error {
    let problem = format!("cannot use {}", path.display());
    Error::new(ErrorKind::Unavailable, problem).with_source(error)
}
