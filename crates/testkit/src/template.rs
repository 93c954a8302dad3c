//! Data folders made once a machine, and copied for each server.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::Account;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::{machine, programs};

/// Fills a new server's data folder from the template of its kind, which is made if need be.
pub(crate) fn copy(engine: &dyn Engine, account: Account, to: &Path) -> Result<()> {
    let template = ready(engine, account)?;
    let mut cp = Command::new("cp");
    cp.args(["-a", "--reflink=auto"])
        .arg(template.join("data"))
        .arg(to);
    programs::run(&mut cp, Path::new("/dev/null")).map(drop)
}

/// The template of this kind of server, version and setup.
fn ready(engine: &dyn Engine, account: Account) -> Result<PathBuf> {
    let folder = machine::folder()?;
    let template = folder.join(format!("{}-{:016x}", engine.name(), mark(engine)?));
    // Processes that need it at the same time wait for the one that makes it.
    let lock = machine::lock_file(&folder.join(format!("{}.lock", engine.name())))?;
    lock.lock()
        .map_err(Error::while_doing("the lock of a template"))?;
    if template.exists() {
        return Ok(template);
    }
    // A half-made one is what a process left that was killed.
    let draft = template.with_extension("draft");
    let what = format!("the template {}", draft.display());
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(Error::while_doing(&what))?;
    }
    fs::create_dir(&draft).map_err(Error::while_doing(&what))?;
    account.own(&draft)?;
    engine.initialise(&draft, account)?;
    fs::rename(&draft, &template).map_err(Error::while_doing(&what))?;
    Ok(template)
}

/// Differs for each thing that a template depends on.
fn mark(engine: &dyn Engine) -> Result<u64> {
    let program = programs::find(engine.program())?;
    let file = fs::metadata(&program).map_err(Error::while_doing(program.display()))?;
    let mut hasher = DefaultHasher::new();
    (program, file.len(), file.mtime(), engine.setup()).hash(&mut hasher);
    Ok(hasher.finish())
}
