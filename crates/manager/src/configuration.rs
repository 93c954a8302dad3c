//! The configuration of a program that uses a token manager.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::configuration_layers::{self as layers, Environment};
use crate::{
    Error, ErrorKind, FlushOptions, ManagerOptions, Result, RevocationListOptions, StoreUrl,
    TokenDigest, TokenOptions, config_error,
};

/// The configuration: one TOML file, then the environment, which overrides it.
///
/// # Behavior
///
/// - Every field is optional; its default stands in its docs.
/// - The variable of a field is `TOKENKEEP_`, its section, `__` and its name, all in capitals:
///   `TOKENKEEP_STORE__URL`. Variables without `__` after the prefix are none of this.
/// - `store.url` and `store.url_file` mean the same thing: a variable of either overrides both.
/// - An unknown key is refused, in the file and in the environment.
/// - Secrets come by environment, or by a file that the configuration names; a password in the
///   configuration file is refused. `Display` writes the effective configuration as TOML with
///   passwords masked.
///
/// # Examples
///
/// ```
/// use tokenkeep::Config;
///
/// let environment = [("TOKENKEEP_STORE__URL", "memory:"), ("TOKENKEEP_LOG", "debug")];
/// let config = Config::load_with(None, environment.map(|(name, value)| (name.into(), value.into())))?;
/// assert_eq!(config.store.url.to_string(), "memory:");
/// # Ok::<(), tokenkeep::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Where tokens are kept.
    pub store: StoreConfig,
    /// How tokens are made and taken.
    pub token: TokenOptions,
    /// How secrets become ids.
    pub digest: DigestConfig,
    /// How the list of revoked tokens is cached.
    pub revocation_list: RevocationListOptions,
    /// How expired tokens are removed in the background.
    pub flush: FlushOptions,
}

/// Where tokens are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StoreConfig {
    /// The store's URL. Default: `sled:./tokenkeep-data`.
    pub url: StoreUrl,
    /// A file that holds the URL, for one with a password; relative to the working folder. It is read
    /// by [`Config::load`], which fills in `url`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: StoreUrl::default_store(),
            url_file: None,
        }
    }
}

/// How secrets become ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DigestConfig {
    /// A file that holds the digest key, 32 bytes at least; relative to the working folder. Default:
    /// none, which means the public key: see [`TokenDigest`] for when that is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Config {
    /// Reads the file, if one is named, and the environment of the process.
    ///
    /// Waits for the file system.
    ///
    /// # Errors
    ///
    /// `Config`, naming the file with its line or key, or the variable: a file that cannot be read, bad
    /// TOML, an unknown key, a value of a wrong type or out of its range.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        Self::load_with(path, std::env::vars_os())
    }

    /// Reads the file, if one is named, and this environment.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_with(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let environment = Environment::new(environment)?;
        let mut config = layers::read(path, &environment)?;
        if let Some(file) = &config.store.url_file {
            config.store.url = read_url(file)?;
        }
        config.token.check()?;
        config.flush.check()?;
        Ok(config)
    }

    /// The manager's part, with the digest key read from its file.
    ///
    /// # Errors
    ///
    /// `Config` if the key cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub async fn manager_options(&self) -> Result<ManagerOptions> {
        let digest = match self.digest.key_file.clone() {
            None => TokenDigest::default(),
            Some(file) => tokio::task::spawn_blocking(move || TokenDigest::from_key_file(&file))
                .await
                .map_err(|error| {
                    Error::new(ErrorKind::Internal, "reading the digest key was cut short")
                        .with_source(error)
                })??,
        };
        Ok(ManagerOptions {
            token: self.token.clone(),
            revocation_list: self.revocation_list.clone(),
            digest,
        })
    }
}

impl fmt::Display for Config {
    /// The effective configuration as TOML, with passwords masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

fn read_url(file: &Path) -> Result<StoreUrl> {
    let fault = |problem: &dyn fmt::Display| {
        config_error(format!("store.url_file {}: {problem}", file.display()))
    };
    let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| fault(&error))?);
    text.trim_end_matches(['\r', '\n'])
        .parse()
        .map_err(|error: Error| fault(&error.message()))
}
