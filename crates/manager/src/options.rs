//! What a token manager is told to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mint::MINTED_LEN;
use crate::{Result, TokenDigest, config_error, durations};

/// How tokens are made and taken: the section `token` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenOptions {
    /// How long a token lives if its request does not say. Default: `1h`, as in Keystone.
    #[serde(with = "durations")]
    pub default_lifetime: Duration,
    /// The longest life that a request may ask for. Default: none, so no limit.
    #[serde(with = "durations::optional", skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<Duration>,
    /// The longest secret in bytes that is looked at; a longer one is no token. Default: `8192`, as
    /// in Keystone.
    pub max_secret_len: usize,
    /// What minted secrets begin with, so that secret scanners find them: 1 to 16 letters, digits,
    /// `_` or `-`. Default: `tkp_`.
    pub prefix: String,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            default_lifetime: Duration::from_secs(3_600),
            max_lifetime: None,
            max_secret_len: 8_192,
            prefix: "tkp_".to_owned(),
        }
    }
}

impl TokenOptions {
    const MAX_PREFIX_LEN: usize = 16;

    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// `Config`, naming the field.
    pub fn check(&self) -> Result<()> {
        if self.default_lifetime.is_zero() {
            return Err(config_error("token.default_lifetime is zero"));
        }
        if self
            .max_lifetime
            .is_some_and(|max| max < self.default_lifetime)
        {
            return Err(config_error(
                "token.max_lifetime is shorter than token.default_lifetime",
            ));
        }
        let inner = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-');
        let len = self.prefix.len();
        if !(1..=Self::MAX_PREFIX_LEN).contains(&len) || !self.prefix.bytes().all(inner) {
            return Err(config_error(
                "token.prefix is not 1 to 16 letters, digits, `_` or `-`",
            ));
        }
        let minted = Self::MAX_PREFIX_LEN + MINTED_LEN;
        if self.max_secret_len < minted {
            return Err(config_error(format!(
                "token.max_secret_len is below {minted}, so that minted secrets would be refused"
            )));
        }
        Ok(())
    }
}

/// How long the list of revoked tokens may be served from memory: the section `revocation_list` of
/// the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RevocationListOptions {
    /// How old the list may be; `0s` reads it anew each time. A revocation through the same manager
    /// shows at once, one made elsewhere after so long at most. Default: `60s`.
    #[serde(with = "durations")]
    pub time_to_live: Duration,
}

impl Default for RevocationListOptions {
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_secs(60),
        }
    }
}

/// What a [`TokenManager`](crate::TokenManager) is told to do.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokenkeep::ManagerOptions;
///
/// let options = ManagerOptions::default().with_default_lifetime(Duration::from_secs(600));
/// assert_eq!(options.token.prefix, "tkp_");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ManagerOptions {
    /// How tokens are made and taken.
    pub token: TokenOptions,
    /// How the list of revoked tokens is cached.
    pub revocation_list: RevocationListOptions,
    /// How secrets become ids. Default: the public key; see [`TokenDigest`].
    pub digest: TokenDigest,
}

impl ManagerOptions {
    /// Sets [`TokenOptions::default_lifetime`].
    #[must_use]
    pub const fn with_default_lifetime(mut self, span: Duration) -> Self {
        self.token.default_lifetime = span;
        self
    }

    /// Sets [`TokenOptions::max_lifetime`].
    #[must_use]
    pub const fn with_max_lifetime(mut self, span: Duration) -> Self {
        self.token.max_lifetime = Some(span);
        self
    }

    /// Sets [`TokenOptions::max_secret_len`].
    #[must_use]
    pub const fn with_max_secret_len(mut self, bytes: usize) -> Self {
        self.token.max_secret_len = bytes;
        self
    }

    /// Sets [`TokenOptions::prefix`].
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.token.prefix = prefix.into();
        self
    }

    /// Sets [`RevocationListOptions::time_to_live`].
    #[must_use]
    pub const fn with_revocation_list_ttl(mut self, span: Duration) -> Self {
        self.revocation_list.time_to_live = span;
        self
    }

    /// Sets how secrets become ids.
    #[must_use]
    pub fn with_digest(mut self, digest: TokenDigest) -> Self {
        self.digest = digest;
        self
    }
}
