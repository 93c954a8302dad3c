//! Where the file is, with links followed once and for all.

use std::io;
use std::path::{Path, PathBuf};

/// The file itself, which need not be there yet; or why there cannot be one.
///
/// Whatever is done with the file later is done by this path: a link that is changed meanwhile
/// changes nothing.
pub(super) fn locate(path: &Path) -> Result<PathBuf, String> {
    // An absolute path begins with `/`, so that SQLite takes it neither for a URI nor for a
    // database in memory.
    let Ok(path) = std::path::absolute(path) else {
        return Err("the path of the file is empty".to_owned());
    };
    let shown = path.display();
    match path.canonicalize() {
        Ok(file) if file.is_dir() => Err(format!("{shown} is a folder, not a file")),
        Ok(file) if !file.is_file() => Err(format!("{shown} is no ordinary file")),
        Ok(file) => Ok(file),
        Err(_) if path.is_symlink() => Err(format!("{shown} is a link to nothing")),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(format!(
            "{shown} cannot be reached: see to its folders' rights"
        )),
        Err(_) => beside(&path).ok_or_else(|| format!("there is no folder for the file {shown}")),
    }
}

/// A file that is not there, in a folder that is.
fn beside(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?.canonicalize().ok()?;
    let file = folder.join(path.file_name()?);
    folder.is_dir().then_some(file)
}
