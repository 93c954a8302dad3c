//! What goes wrong in sled and in the file system, in the words of the contract.

use std::io;
use std::path::Path;

use tokenkeep_core::{Error, ErrorKind};

/// The name in errors and in [`StoreInfo`](tokenkeep_core::StoreInfo).
pub(crate) const DRIVER: &str = "sled";

/// Whether the call that failed may have changed the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It surely did not.
    None,
    /// It may have.
    Unknown,
}

impl Effect {
    const fn kind(self) -> ErrorKind {
        match self {
            Self::None => ErrorKind::Unavailable,
            Self::Unknown => ErrorKind::Indeterminate,
        }
    }
}

/// The error of a call into sled.
pub(crate) fn from_sled(error: sled::Error, effect: Effect) -> Error {
    let mapped = match &error {
        sled::Error::Corruption { at: Some(at), .. } => {
            Error::corrupt(format!("file db, {at}"), "sled finds it damaged")
        }
        sled::Error::Corruption { at: None, .. } => {
            Error::corrupt("the store's folder", "sled finds a file damaged")
        }
        sled::Error::CollectionNotFound(_) => {
            Error::corrupt("file db", "sled misses the tree of a namespace")
        }
        sled::Error::Unsupported(problem) => Error::new(ErrorKind::Config, problem.clone()),
        sled::Error::ReportableBug(_) => Error::new(effect.kind(), "sled failed"),
        sled::Error::Io(cause) => Error::new(io_kind(cause, effect), io_message(cause)),
    };
    mapped.with_source(error)
}

/// The error of a call into the file system.
pub(crate) fn from_io(error: io::Error, path: &Path, effect: Effect) -> Error {
    let message = format!("{}: {}", path.display(), io_message(&error));
    Error::new(io_kind(&error, effect), message).with_source(error)
}

fn io_kind(error: &io::Error, effect: Effect) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::InvalidFilename
            if effect == Effect::None =>
        {
            ErrorKind::Config
        }
        _ => effect.kind(),
    }
}

fn io_message(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::PermissionDenied => "permission is denied".to_owned(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where a folder is wanted".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_applied_is_never_unavailable() {
        let full = || sled::Error::Io(io::ErrorKind::StorageFull.into());
        let kind = |error, effect| from_sled(error, effect).kind();
        assert_eq!(kind(full(), Effect::Unknown), ErrorKind::Indeterminate);
        assert_eq!(kind(full(), Effect::None), ErrorKind::Unavailable);
        let denied = || sled::Error::Io(io::ErrorKind::PermissionDenied.into());
        assert_eq!(kind(denied(), Effect::None), ErrorKind::Config);
        assert_eq!(kind(denied(), Effect::Unknown), ErrorKind::Indeterminate);
    }

    #[test]
    fn damage_is_corrupt_whatever_was_asked() {
        let damage = sled::Error::Corruption { at: None, bt: () };
        assert_eq!(
            from_sled(damage, Effect::Unknown).kind(),
            ErrorKind::Corrupt
        );
    }
}
