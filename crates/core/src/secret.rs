//! The bearer string that a client holds.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A token secret: redacted in `Debug`, wiped on drop, compared in constant time (contract,
/// section 1).
///
/// Only the manager and what stands above it hold one; no driver's method takes it (R20). There is
/// no `Display` and no `Clone`, so a copy is made on purpose or not at all.
///
/// # Examples
///
/// ```
/// use tokenkeep_core::TokenSecret;
///
/// let secret = TokenSecret::new("correct horse battery staple".to_owned());
/// assert_eq!(format!("{secret:?}"), "TokenSecret(redacted)");
/// ```
pub struct TokenSecret(Zeroizing<String>);

impl TokenSecret {
    /// Takes a secret over. The caller's own copies are the caller's to wipe.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself, to hand to its owner or to digest. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for TokenSecret {
    /// Takes a time that depends on the lengths alone.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for TokenSecret {}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_it_and_equality_sees_it() {
        let secret = TokenSecret::new("s3cret".to_owned());
        assert!(!format!("{secret:?}").contains("s3cret"));
        assert_eq!(secret, TokenSecret::new("s3cret".to_owned()));
        assert_ne!(secret, TokenSecret::new("s3creT".to_owned()));
    }
}
