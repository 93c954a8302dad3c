//! Whether the entries of a store agree with each other.

use std::collections::BTreeMap;

use crate::change::entries;
use crate::{Generation, Key, StoreHeader, Stored};

/// Lists what disagrees in a whole store: entries that cannot be read, records without one of
/// their entries, and entries without their record. For tests of engines, and for repair.
///
/// # Behavior
///
/// An empty list says that bulk revocation finds every active token, and that nothing else is
/// found by it. Each line names a key, never data.
#[must_use]
pub fn disagreements(store: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expected = BTreeMap::new();
    for (key, value) in store {
        match expectation(key, value) {
            Ok(entries) => expected.extend(entries),
            Err(error) => problems.push(error.to_string()),
        }
    }
    for (key, value) in &expected {
        match store.get(key) {
            None => problems.push(format!("missing: {}", shown(key))),
            Some(found) if found != value => problems.push(format!("differs: {}", shown(key))),
            Some(_) => {}
        }
    }
    let stray = store.keys().filter(|key| !expected.contains_key(*key));
    problems.extend(stray.map(|key| format!("without its record: {}", shown(key))));
    problems
}

/// The entries that have to be there because this one is.
fn expectation(key: &[u8], value: &[u8]) -> tokenkeep_core::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let itself = || vec![(key.to_vec(), value.to_vec())];
    match Key::parse(key)? {
        Key::Record(id) => Ok(entries(&Stored::decode(&id, value)?)
            .into_iter()
            .filter_map(|change| Some((change.key, change.value?)))
            .collect()),
        Key::Store => StoreHeader::decode(value).map(|_| itself()),
        Key::Generation => Generation::decode(value).map(|_| itself()),
        Key::Index(..) | Key::Expiry(..) | Key::Revocation(_) => Ok(Vec::new()),
    }
}

fn shown(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create;
    use crate::samples::full;

    fn store() -> BTreeMap<Vec<u8>, Vec<u8>> {
        create(full(), None)
            .into_iter()
            .filter_map(|change| Some((change.key, change.value?)))
            .collect()
    }

    #[test]
    fn each_missing_entry_is_found() {
        let whole = store();
        assert_eq!(disagreements(&whole), Vec::<String>::new());
        for key in whole.keys() {
            let mut store = whole.clone();
            store.remove(key);
            assert!(!disagreements(&store).is_empty(), "{}", shown(key));
        }
    }

    #[test]
    fn a_changed_value_is_found() {
        let whole = store();
        for key in whole.keys() {
            let mut store = whole.clone();
            store.entry(key.clone()).or_default().push(0);
            assert!(!disagreements(&store).is_empty(), "{}", shown(key));
        }
    }
}
