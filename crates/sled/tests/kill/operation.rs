//! What a writer does, as a line of text.

use std::fmt;

use tokenkeep_core::{Timestamp, TokenId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create(TokenId, Timestamp),
    Delete(TokenId),
    /// With the new expiry and the version expected.
    Replace(TokenId, Timestamp, u64),
    Rotate(TokenId, TokenId, Timestamp),
    /// Revokes all tokens of the writer's user.
    DeleteTokens,
    FlushExpired,
}

/// A line of a child's output. Each writer does one thing after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Begun(usize, Operation),
    Acknowledged(usize),
}

/// The user whose tokens a writer has to itself.
pub(crate) fn user(writer: usize) -> String {
    format!("user-{writer}")
}

impl Said {
    /// `None` for a line that was cut off.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        // Without its last word a line might still make sense.
        let words: Vec<_> = line.strip_suffix('.')?.split(' ').collect();
        let id = |word: &str| word.parse::<TokenId>().ok();
        let at = |word: &str| word.parse::<Timestamp>().ok();
        let (writer, rest) = words.split_first()?;
        let operation = match *rest {
            ["ok"] => return Some(Self::Acknowledged(writer.parse().ok()?)),
            ["tokens"] => Operation::DeleteTokens,
            ["flush"] => Operation::FlushExpired,
            ["create", new, expiry] => Operation::Create(id(new)?, at(expiry)?),
            ["delete", old] => Operation::Delete(id(old)?),
            ["rotate", old, new, expiry] => Operation::Rotate(id(old)?, id(new)?, at(expiry)?),
            ["replace", old, expiry, version] => {
                Operation::Replace(id(old)?, at(expiry)?, version.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self::Begun(writer.parse().ok()?, operation))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledged(writer) => write!(f, "{writer} ok."),
            Self::Begun(writer, operation) => match operation {
                Operation::Create(id, at) => write!(f, "{writer} create {id} {at}."),
                Operation::Delete(id) => write!(f, "{writer} delete {id}."),
                Operation::Replace(id, at, version) => {
                    write!(f, "{writer} replace {id} {at} {version}.")
                }
                Operation::Rotate(old, new, at) => write!(f, "{writer} rotate {old} {new} {at}."),
                Operation::DeleteTokens => write!(f, "{writer} tokens."),
                Operation::FlushExpired => write!(f, "{writer} flush."),
            },
        }
    }
}
