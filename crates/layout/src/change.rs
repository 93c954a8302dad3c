//! Which entries a write touches.

use bytes::Bytes;
use tokenkeep_core::{Anchor, Timestamp, TokenId, TokenRecord, TokenState};

use crate::{Key, RevocationEntry, Sequence, Stored};

/// One entry to set or to remove. All changes of a write go together or not at all, in order: of
/// two changes of one key the later one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entry's key.
    pub key: Vec<u8>,
    /// The entry's new value; none removes the entry.
    pub value: Option<Vec<u8>>,
}

impl Change {
    /// Sets an entry.
    #[must_use]
    pub fn set(key: &Key, value: Vec<u8>) -> Self {
        Self {
            key: key.encode(),
            value: Some(value),
        }
    }

    /// Removes an entry.
    #[must_use]
    pub fn remove(key: &Key) -> Self {
        Self {
            key: key.encode(),
            value: None,
        }
    }
}

/// Stores a new token, in place of the expired one that still holds its id, if there is one (R2).
#[must_use]
pub fn create(record: TokenRecord, leftover: Option<&Stored>) -> Vec<Change> {
    let mut changes = leftover.map(remove).unwrap_or_default();
    changes.extend(entries(&Stored::active(record)));
    changes
}

/// Revokes an active token (R6, R12): it leaves the indexes and enters the order of revocation.
#[must_use]
pub fn revoke(
    stored: &Stored,
    at: Timestamp,
    successor: Option<TokenId>,
    sequence: Sequence,
) -> Vec<Change> {
    let state = TokenState::Revoked { at, successor };
    let revoked = stored.revoked(state, sequence);
    let mut changes: Vec<_> = index_keys(stored.record())
        .map(|key| Change::remove(&key))
        .collect();
    changes.push(revocation(stored.record(), at, sequence));
    changes.push(Change::set(
        &Key::Record(stored.record().id),
        revoked.encode(),
    ));
    changes
}

/// Gives an active token another expiry and other data, and the version after its own (R11).
#[must_use]
pub fn replace(stored: &Stored, expires_at: Timestamp, data: Bytes) -> Vec<Change> {
    let record = stored.record();
    let id = record.id;
    let replaced = Stored::active(TokenRecord {
        expires_at,
        data,
        version: record.version.saturating_add(1),
        ..record.clone()
    });
    vec![
        Change::remove(&Key::Expiry(record.expires_at, id)),
        Change::set(&Key::Expiry(expires_at, id), Vec::new()),
        Change::set(&Key::Record(id), replaced.encode()),
    ]
}

/// Removes all entries of a token.
#[must_use]
pub fn remove(stored: &Stored) -> Vec<Change> {
    entries(stored)
        .into_iter()
        .map(|change| Change {
            value: None,
            ..change
        })
        .collect()
}

/// All entries of a token.
pub(crate) fn entries(stored: &Stored) -> Vec<Change> {
    let record = stored.record();
    let mut entries = vec![
        Change::set(&Key::Record(record.id), stored.encode()),
        Change::set(&Key::Expiry(record.expires_at, record.id), Vec::new()),
    ];
    match record.state {
        TokenState::Active => {
            entries.extend(index_keys(record).map(|key| Change::set(&key, Vec::new())));
        }
        TokenState::Revoked { at, .. } => {
            entries.push(revocation(record, at, stored.sequence()));
        }
    }
    entries
}

fn revocation(record: &TokenRecord, at: Timestamp, sequence: Sequence) -> Change {
    let value = RevocationEntry::new(record, at).encode(sequence);
    Change::set(&Key::Revocation(sequence), value)
}

fn index_keys(record: &TokenRecord) -> impl Iterator<Item = Key> {
    Anchor::ALL.into_iter().filter_map(|anchor| {
        let value = anchor.of(record)?;
        Some(Key::Index(anchor, value.clone(), record.id))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::disagreements;
    use crate::samples::{at, full, id, plain};

    type Engine = BTreeMap<Vec<u8>, Vec<u8>>;

    fn apply(engine: &mut Engine, changes: Vec<Change>) {
        for Change { key, value } in changes {
            match value {
                Some(value) => engine.insert(key, value),
                None => engine.remove(&key),
            };
        }
        assert_eq!(disagreements(engine), Vec::<String>::new());
    }

    fn stored(engine: &Engine, id: TokenId) -> Stored {
        Stored::decode(&id, &engine[&Key::Record(id).encode()]).unwrap()
    }

    fn kinds(engine: &Engine) -> String {
        engine.keys().map(|key| char::from(key[0])).collect()
    }

    #[test]
    fn a_token_stands_under_each_of_its_anchors() {
        let mut engine = Engine::new();
        apply(&mut engine, create(plain(), None));
        assert_eq!(kinds(&engine), "etu");
        apply(&mut engine, create(full(), None));
        assert_eq!(kinds(&engine), "cdeeprttuu");
    }

    #[test]
    fn a_revoked_token_leaves_the_indexes_and_enters_the_feed() {
        let mut engine = Engine::new();
        apply(&mut engine, create(full(), None));
        let token = stored(&engine, id(2));
        let number = Sequence::from_u64(9);
        apply(&mut engine, revoke(&token, at(50), Some(id(3)), number));
        assert_eq!(kinds(&engine), "etx");
        let token = stored(&engine, id(2));
        let state = TokenState::Revoked {
            at: at(50),
            successor: Some(id(3)),
        };
        assert_eq!(token.record(), &TokenRecord { state, ..full() });
        assert_eq!(token.sequence(), number);
    }

    #[test]
    fn a_replaced_token_moves_in_the_order_of_expiry_alone() {
        let mut engine = Engine::new();
        apply(&mut engine, create(full(), None));
        let token = stored(&engine, id(2));
        apply(&mut engine, replace(&token, at(7), "new".into()));
        assert_eq!(kinds(&engine), "cdeprtu");
        let expected = TokenRecord {
            expires_at: at(7),
            version: 2,
            ..full().with_data("new")
        };
        assert_eq!(stored(&engine, id(2)).record(), &expected);
    }

    #[test]
    fn a_replaced_token_may_keep_its_expiry() {
        let mut engine = Engine::new();
        apply(&mut engine, create(plain(), None));
        let token = stored(&engine, id(1));
        apply(&mut engine, replace(&token, at(1_000), "new".into()));
        assert_eq!(kinds(&engine), "etu");
    }

    #[test]
    fn removal_leaves_nothing() {
        for revoked in [false, true] {
            let mut engine = Engine::new();
            apply(&mut engine, create(full(), None));
            if revoked {
                let token = stored(&engine, id(2));
                apply(
                    &mut engine,
                    revoke(&token, at(5), None, Sequence::from_u64(1)),
                );
            }
            let token = stored(&engine, id(2));
            apply(&mut engine, remove(&token));
            assert_eq!(kinds(&engine), "");
        }
    }

    #[test]
    fn nothing_of_an_expired_leftover_outlives_its_successor() {
        for revoked in [false, true] {
            let mut engine = Engine::new();
            apply(&mut engine, create(full(), None));
            if revoked {
                let token = stored(&engine, id(2));
                apply(
                    &mut engine,
                    revoke(&token, at(5), None, Sequence::from_u64(1)),
                );
            }
            let leftover = stored(&engine, id(2));
            let record = TokenRecord {
                id: id(2),
                ..plain()
            };
            apply(&mut engine, create(record.clone(), Some(&leftover)));
            assert_eq!(kinds(&engine), "etu");
            assert_eq!(stored(&engine, id(2)).record(), &record);
        }
    }
}
