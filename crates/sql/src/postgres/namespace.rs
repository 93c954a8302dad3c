//! A namespace's schema, and the names of its tables.

use tokenkeep_core::{Error, ErrorKind, Result};

/// The longest name that PostgreSQL keeps whole.
const MAX_LEN: usize = 63;

/// The name of a schema, safe to stand in a statement's text.
#[derive(Clone, Debug)]
pub(super) struct Namespace(String);

impl Namespace {
    /// Checks a name. Only letters, digits and `_`, so that quoting it is all that it takes.
    pub(super) fn new(name: &str) -> Result<Self> {
        let is_legal = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let problem = if name.is_empty() || name.len() > MAX_LEN {
            "is not 1 to 63 bytes long"
        } else if !name.bytes().all(is_legal) {
            "has other characters than a to z, 0 to 9 and _"
        } else if name.starts_with(|first: char| first.is_ascii_digit()) {
            "begins with a digit"
        } else if name.starts_with("pg_") || name == "information_schema" {
            "belongs to the server"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(Error::new(
            ErrorKind::Config,
            format!("namespace {problem}"),
        ))
    }

    /// The name itself.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The schema, quoted.
    pub(super) fn schema(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// One of its tables, qualified.
    pub(super) fn table(&self, table: &str) -> String {
        format!("\"{}\".{table}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_need_no_escape_pass() {
        let longest = "x".repeat(63);
        for name in ["a", "_", "user", "team_9", longest.as_str()] {
            assert_eq!(Namespace::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn all_others_are_a_configuration_error_that_names_the_field() {
        let too_long = "x".repeat(64);
        let names = [
            "",
            "9a",
            "Team",
            "a-b",
            "a\"b",
            "a b",
            "ä",
            "a.b",
            "pg_x",
            "information_schema",
            too_long.as_str(),
        ];
        for name in names {
            let error = Namespace::new(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{name}");
            assert!(error.message().starts_with("namespace "), "{name}");
        }
    }
}
