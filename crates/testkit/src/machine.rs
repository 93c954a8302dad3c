//! What the test processes of one machine and user share: templates and port numbers.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::error::{Error, Result};

/// The folder that they share; made if it is missing.
pub(crate) fn folder() -> Result<PathBuf> {
    let user = geteuid().as_raw();
    let folder = env::temp_dir().join(format!("tokenkeep-testkit-{user}"));
    let what = format!("the folder {}", folder.display());
    match fs::create_dir(&folder) {
        Ok(()) => {
            // A server's own account has to reach its template.
            let rights = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&folder, rights).map_err(Error::while_doing(&what))?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::while_doing(what)(error)),
    }
    let owner = fs::symlink_metadata(&folder).map_err(Error::while_doing(&what))?;
    if owner.uid() != user || !owner.is_dir() {
        return Err(Error::failed(format_args!("{what} is not ours")));
    }
    Ok(folder)
}

/// A file to lock; the lock ends with the process that holds it.
pub(crate) fn lock_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::while_doing(format_args!("{}", path.display())))
}
