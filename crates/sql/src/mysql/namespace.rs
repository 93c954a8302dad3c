//! The name of a namespace's database.

use tokenkeep_core::{Error, ErrorKind, Result};

/// The longest name that the server takes.
const MAX_LEN: usize = 64;

/// Databases that belong to the server.
const RESERVED: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// The name of a database, safe to stand in a statement's text.
#[derive(Clone, Debug)]
pub(super) struct Namespace(String);

impl Namespace {
    /// Checks a name. Small letters alone, because servers differ in what they make of great ones.
    pub(super) fn new(name: &str) -> Result<Self> {
        let is_legal = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let problem = if name.is_empty() || name.len() > MAX_LEN {
            "is not 1 to 64 bytes long"
        } else if !name.bytes().all(is_legal) {
            "has other characters than a to z, 0 to 9 and _"
        } else if RESERVED.contains(&name) {
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

    /// The database, quoted.
    pub(super) fn quoted(&self) -> String {
        format!("`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_need_no_escape_pass() {
        let longest = "x".repeat(64);
        for name in ["a", "_", "9", "team_9", longest.as_str()] {
            assert_eq!(Namespace::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn all_others_are_a_configuration_error_that_names_the_field() {
        let too_long = "x".repeat(65);
        let names = [
            "",
            "Team",
            "a-b",
            "a`b",
            "a b",
            "ä",
            "a.b",
            "mysql",
            "sys",
            too_long.as_str(),
        ];
        for name in names {
            let error = Namespace::new(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{name}");
            assert!(error.message().starts_with("namespace "), "{name}");
        }
    }
}
