//! From a secret to the id that drivers see.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Result, TokenId, TokenSecret, config_error};

/// Turns a secret into a token's id: HMAC-SHA-256 under a digest key.
///
/// # Behavior
///
/// - With a key of one's own, whoever holds a copy of the store cannot even try guesses.
/// - Without one a fixed, public key stands in. That is enough for minted secrets, whose 256 random
///   bits nobody guesses; an id of the caller's own choice that is short or guessable can then be
///   found by trial from a copy of the store.
/// - Another key is another set of ids: tokens issued under one are not found under the other.
///
/// # Examples
///
/// ```
/// use tokenkeep::{TokenDigest, TokenSecret};
///
/// let secret = TokenSecret::new("tkp_example".to_owned());
/// let keyed = TokenDigest::with_key(&[7; 32])?;
/// assert_ne!(keyed.id(&secret), TokenDigest::default().id(&secret));
/// # Ok::<(), tokenkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct TokenDigest {
    /// Has taken in the key already; each id starts from a copy.
    keyed: Hmac<Sha256>,
}

impl TokenDigest {
    /// The shortest key in bytes.
    pub const MIN_KEY_LEN: usize = 32;
    /// The longest key in bytes; a longer file is no key file.
    pub const MAX_KEY_LEN: usize = 4_096;
    /// Keeps these digests apart from any other use of the same hash.
    const PUBLIC_KEY: [u8; 64] =
        *b"tokenkeep: the id of a token, for want of a key that is secret..";

    /// A digest under this key.
    ///
    /// # Errors
    ///
    /// `Config` if the key is shorter than [`MIN_KEY_LEN`](Self::MIN_KEY_LEN) or longer than
    /// [`MAX_KEY_LEN`](Self::MAX_KEY_LEN).
    pub fn with_key(key: &[u8]) -> Result<Self> {
        if !(Self::MIN_KEY_LEN..=Self::MAX_KEY_LEN).contains(&key.len()) {
            return Err(config_error(format!(
                "digest key is not {} to {} bytes long",
                Self::MIN_KEY_LEN,
                Self::MAX_KEY_LEN
            )));
        }
        let keyed = Hmac::new_from_slice(key).map_err(|error| config_error(error.to_string()))?;
        Ok(Self { keyed })
    }

    /// A digest under the key in a file: its bytes, without a line feed at the end.
    ///
    /// Waits for the file system.
    ///
    /// # Errors
    ///
    /// `Config` if the file cannot be read or the key has a wrong length; it names the file.
    pub fn from_key_file(path: &Path) -> Result<Self> {
        let fault = |problem: &dyn fmt::Display| {
            config_error(format!("digest key file {}: {problem}", path.display()))
        };
        // One byte more than allowed is read, and room for it made at once, so that no copy of the
        // key is left behind by a buffer that grew.
        let mut key = Zeroizing::new(Vec::with_capacity(Self::MAX_KEY_LEN + 64));
        let file = File::open(path).map_err(|error| fault(&error))?;
        file.take(Self::MAX_KEY_LEN as u64 + 3)
            .read_to_end(&mut key)
            .map_err(|error| fault(&error))?;
        let key = key.strip_suffix(b"\n").unwrap_or(&key);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        Self::with_key(key).map_err(|error| fault(&error.message()))
    }

    /// The id of the token with this secret.
    #[must_use]
    pub fn id(&self, secret: &TokenSecret) -> TokenId {
        let mut mac = self.keyed.clone();
        mac.update(secret.expose().as_bytes());
        TokenId::from_bytes(mac.finalize().into_bytes().into())
    }
}

impl Default for TokenDigest {
    /// The digest under the public key.
    fn default() -> Self {
        Self {
            keyed: Hmac::new(&Self::PUBLIC_KEY.into()),
        }
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(redacted)")
    }
}
