//! The names of a store's keys.

use tokenkeep_core::{Anchor, Error, ErrorKind, Result, Text, TokenId};

use crate::shards::{Shards, slot_of};

/// The names of one store's keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// The store's constants.
    pub(crate) meta: OneKey,
    /// The highest place given in any shard, for stores of several.
    pub(crate) place: OneKey,
    shards: Shards,
    parts: Box<[ShardKeys]>,
}

/// A key that no script uses together with others.
#[derive(Clone, Debug)]
pub(crate) struct OneKey {
    pub(crate) name: String,
    pub(crate) slot: u16,
}

/// What the keys of one shard have in common.
#[derive(Clone, Debug)]
pub(crate) struct ShardKeys {
    /// What all of them begin with.
    pub(crate) prefix: String,
    /// A key that never exists; see the scripts' common part.
    pub(crate) none: String,
    pub(crate) slot: u16,
    /// What the keys of tokens begin with.
    token: String,
}

impl Keys {
    pub(crate) fn new(namespace: &str, shards: u32) -> Self {
        let shards = Shards::new(shards);
        let parts = shards.iter().map(|shard| {
            let prefix = format!("{namespace}:{{{}}}:", shard.tag);
            ShardKeys {
                none: format!("{prefix}none"),
                token: format!("{prefix}token:"),
                slot: shard.slot,
                prefix,
            }
        });
        Self {
            meta: meta_key(namespace),
            place: OneKey::new(format!("{namespace}:place")),
            parts: parts.collect(),
            shards,
        }
    }

    /// How many shards there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    /// The number of the shard that a token lies in.
    pub(crate) fn shard_of(&self, id: &TokenId) -> usize {
        self.shards.of(id)
    }

    /// The shard with this number; the last if there is none.
    pub(crate) fn shard(&self, number: usize) -> &ShardKeys {
        // There is at least one: Shards sees to it.
        &self.parts[number.min(self.parts.len() - 1)]
    }
}

impl OneKey {
    fn new(name: String) -> Self {
        let slot = slot_of(name.as_bytes());
        Self { name, slot }
    }
}

impl ShardKeys {
    /// The key of a token.
    pub(crate) fn token(&self, id: &TokenId) -> Vec<u8> {
        [self.token.as_bytes(), id.as_bytes()].concat()
    }

    /// The key of the order in which tokens expire.
    pub(crate) fn expiry(&self) -> Vec<u8> {
        [self.prefix.as_bytes(), b"expiry"].concat()
    }

    /// The key of an index.
    pub(crate) fn index(&self, anchor: Anchor, text: &Text) -> Vec<u8> {
        let (prefix, kind) = (self.prefix.as_bytes(), kind(anchor).as_bytes());
        [prefix, kind, text.as_str().as_bytes()].concat()
    }

    /// The key of the token whose place a successor is to take, until that is settled.
    pub(crate) fn turn(&self, id: &TokenId) -> Vec<u8> {
        [self.prefix.as_bytes(), b"turn:", id.as_bytes()].concat()
    }
}

/// The key of a store's constants.
pub(crate) fn meta_key(namespace: &str) -> OneKey {
    OneKey::new(format!("{namespace}:meta"))
}

/// What the name of an index has behind its shard's prefix.
pub(crate) fn index(anchor: Anchor, text: &Text) -> String {
    [kind(anchor), text.as_str()].concat()
}

const fn kind(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Trust => "trust:",
        Anchor::User => "user:",
        Anchor::Consumer => "consumer:",
        Anchor::Tenant => "tenant:",
        Anchor::Domain => "domain:",
    }
}

/// Refuses a namespace that would not keep keys apart: a brace names a hash slot, a colon ends the
/// namespace, and others mean something in a pattern of keys.
pub(crate) fn check_namespace(namespace: &str) -> Result<()> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if (1..=64).contains(&namespace.len()) && namespace.bytes().all(is_legal) {
        return Ok(());
    }
    let problem = "namespace is not 1 to 64 letters, digits, underscores, hyphens and dots";
    Err(Error::new(ErrorKind::Config, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_shard_lie_in_its_slot() {
        let keys = Keys::new("ns", 64);
        let id = TokenId::from_bytes([b'}'; 32]);
        for shard in (0..keys.len()).map(|number| keys.shard(number)) {
            let user = index(Anchor::User, &Text::new("user_id", "{a}").unwrap());
            for key in [&shard.none, &format!("{}{user}", shard.prefix)] {
                assert_eq!(slot_of(key.as_bytes()), shard.slot);
            }
            assert!(shard.token(&id).starts_with(shard.prefix.as_bytes()));
        }
    }

    #[test]
    fn names_are_as_documented() {
        let keys = Keys::new("ns", 1);
        assert_eq!(keys.meta.name, "ns:meta");
        assert_eq!(keys.place.name, "ns:place");
        assert_eq!(keys.shard(0).prefix, "ns:{0}:");
        assert_eq!(keys.shard(0).none, "ns:{0}:none");
        let id = TokenId::from_bytes([7; 32]);
        assert_eq!(keys.shard(0).token(&id)[..13], *b"ns:{0}:token:");
    }

    #[test]
    fn a_namespace_cannot_reach_into_another() {
        for legal in ["a", "Token_keep-1.2", &"x".repeat(64)] {
            assert!(check_namespace(legal).is_ok(), "{legal}");
        }
        for bad in ["", "a:b", "a{b", "a*", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(check_namespace(bad).is_err(), "{bad}");
        }
    }
}
