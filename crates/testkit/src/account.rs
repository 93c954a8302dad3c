//! The account that a server runs under.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::error::{Error, Result};

/// Who a server runs as: someone else only if we are root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account(Option<(u32, u32)>);

impl Account {
    /// The first of these accounts that the machine has, if we are root; else our own.
    pub(crate) fn find(names: &[&str]) -> Self {
        let ids = names.iter().find_map(|name| {
            let user = User::from_name(name).ok()??;
            Some((user.uid.as_raw(), user.gid.as_raw()))
        });
        Self(ids.filter(|_| geteuid().is_root()))
    }

    /// Fails for a server that refuses to run as root when it would have to.
    pub(crate) fn is_not_root(self, server: &str) -> Result<()> {
        if self.0.is_none() && geteuid().is_root() {
            return Err(Error::Missing(format!(
                "{server} does not run as root, and the machine has no account for it"
            )));
        }
        Ok(())
    }

    /// Makes the program run as this account.
    pub(crate) fn of(self, command: &mut Command) -> &mut Command {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a file or folder to this account.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        let Some((user, group)) = self.0 else {
            return Ok(());
        };
        chown(path, Some(user), Some(group))
            .map_err(Error::while_doing(format_args!("chown {}", path.display())))
    }
}
