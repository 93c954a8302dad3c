//! What a store is opened with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokenkeep_core::{Durability, Error, ErrorKind, Limits, Result};

/// What an acknowledged write survives (R15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SledDurability {
    /// It is on the disk: it survives the end of the process, and a power cut as far as the file
    /// system and the disk keep their word.
    #[default]
    Sync,
    /// It reaches the disk within half a second; a crash in between loses it.
    Relaxed,
}

impl From<SledDurability> for Durability {
    fn from(durability: SledDurability) -> Self {
        match durability {
            SledDurability::Sync => Self::Sync,
            SledDurability::Relaxed => Self::Relaxed,
        }
    }
}

/// Where a store is and how it is used.
///
/// # Examples
///
/// ```
/// use tokenkeep_sled::{SledDurability, SledOptions};
///
/// let options = SledOptions::new("/var/lib/tokens").with_durability(SledDurability::Relaxed);
/// assert_eq!(options.namespace(), "default");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SledOptions {
    pub(crate) path: PathBuf,
    pub(crate) namespace: String,
    pub(crate) durability: SledDurability,
    pub(crate) timeout: Duration,
    pub(crate) cache_capacity: u64,
    pub(crate) limits: Limits,
    pub(crate) create: bool,
}

impl SledOptions {
    /// The longest name of a namespace in bytes.
    pub const MAX_NAMESPACE_LEN: usize = 255;

    /// The folder of the store, made when it is opened, and the defaults of all else.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            namespace: "default".to_owned(),
            durability: SledDurability::default(),
            timeout: Duration::from_secs(10),
            cache_capacity: 64 * 1024 * 1024,
            limits: Limits::default(),
            create: true,
        }
    }

    /// Sets the namespace that [`SledDriver::open`](crate::SledDriver::open) opens, 1 to 255 bytes.
    /// Default: `default`.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets what an acknowledged write survives. Default: [`SledDurability::Sync`].
    #[must_use]
    pub const fn with_durability(mut self, durability: SledDurability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long a call may take (R16), 1 ms to 1 day. Default: 10 s.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many bytes of pages sled keeps in memory; it takes several times as much in fact.
    /// Default: 64 MiB.
    #[must_use]
    pub const fn with_cache_capacity(mut self, bytes: u64) -> Self {
        self.cache_capacity = bytes;
        self
    }

    /// Sets the limits of records. Default: those of [`Limits`].
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether a store is made where there is none; else opening answers `Config`, so that a
    /// mistyped path is noticed. Default: true.
    #[must_use]
    pub const fn with_create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// The store's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The namespace that [`SledDriver::open`](crate::SledDriver::open) opens.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.path.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Config, "path is empty"));
        }
        if !(MIN_TIMEOUT..=MAX_TIMEOUT).contains(&self.timeout) {
            let message = format!("timeout is {:?}, not 1 ms to 1 day", self.timeout);
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.cache_capacity < MIN_CACHE {
            let message = format!(
                "cache_capacity is {} bytes; {MIN_CACHE} is the least",
                self.cache_capacity
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(())
    }
}

/// Less than this no call could meet.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);
/// More than this is no bound.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// Below this sled reads every page from the disk anew.
const MIN_CACHE: u64 = 1024 * 1024;

/// Checks the name of a namespace.
pub(crate) fn check_namespace(name: &str) -> Result<()> {
    let problem = match name.len() {
        0 => "namespace is empty".to_owned(),
        1..=SledOptions::MAX_NAMESPACE_LEN => return Ok(()),
        len => format!(
            "namespace is {len} bytes long; the limit is {}",
            SledOptions::MAX_NAMESPACE_LEN
        ),
    };
    Err(Error::new(ErrorKind::Config, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_their_docs_say() {
        let options = SledOptions::new("x");
        assert_eq!(options.namespace, "default");
        assert_eq!(options.durability, SledDurability::Sync);
        assert_eq!(options.timeout, Duration::from_secs(10));
        assert_eq!(options.cache_capacity, 64 << 20);
        assert!(options.check().is_ok());
    }

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        let bad = [
            (SledOptions::new(""), "path"),
            (
                SledOptions::new("x").with_timeout(Duration::ZERO),
                "timeout",
            ),
            (
                SledOptions::new("x").with_cache_capacity(5),
                "cache_capacity",
            ),
        ];
        for (options, field) in bad {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().starts_with(field), "{error}");
        }
    }

    #[test]
    fn namespaces_have_1_to_255_bytes() {
        assert!(check_namespace("a").is_ok());
        assert!(check_namespace(&"é".repeat(127)).is_ok());
        assert!(check_namespace("").is_err());
        assert!(check_namespace(&"é".repeat(128)).is_err());
    }
}
