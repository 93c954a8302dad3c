//! The names in a record: users, tenants, audit ids and the like.

use std::fmt;
use std::ops::Deref;

use crate::{Error, Result};

/// 1 to 255 bytes of UTF-8 without NUL, compared byte for byte (contract, section 2).
///
/// Case, accents and trailing spaces make different values in every backend.
///
/// # Examples
///
/// ```
/// use tokenkeep_core::Text;
///
/// let user = Text::new("user_id", "ada")?;
/// assert_eq!(user.as_str(), "ada");
/// assert_eq!(
///     Text::new("user_id", "").unwrap_err().to_string(),
///     "InvalidInput: user_id is empty"
/// );
/// # Ok::<(), tokenkeep_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Box<str>);

impl Text {
    /// The longest text in bytes.
    pub const MAX_LEN: usize = 255;

    /// Checks a value of the field named.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an empty or over-long value and for one with a NUL; it names `field`.
    pub fn new(field: &str, value: impl Into<Box<str>>) -> Result<Self> {
        let value = value.into();
        if value.is_empty() {
            return Err(Error::invalid_input(field, "is empty"));
        }
        if value.len() > Self::MAX_LEN {
            let problem = format!(
                "is {} bytes long; the limit is {}",
                value.len(),
                Self::MAX_LEN
            );
            return Err(Error::invalid_input(field, problem));
        }
        if value.contains('\0') {
            return Err(Error::invalid_input(field, "contains a NUL"));
        }
        Ok(Self(value))
    }

    /// The text as a string slice.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_bytes_and_not_letters() {
        assert!(Text::new("user_id", "é".repeat(127)).is_ok());
        assert!(Text::new("user_id", "é".repeat(128)).is_err());
        assert!(Text::new("user_id", "a".repeat(255)).is_ok());
    }

    #[test]
    fn each_error_names_the_field() {
        for bad in [String::new(), "a".repeat(256), "a\0b".to_owned()] {
            let error = Text::new("trust_id", bad).unwrap_err();
            assert!(error.message().starts_with("trust_id "), "{error}");
        }
    }

    #[test]
    fn trailing_space_and_case_count() {
        let text = |value: &str| Text::new("user_id", value).unwrap();
        assert_ne!(text("ada"), text("ada "));
        assert_ne!(text("ada"), text("Ada"));
    }
}
