//! All cases, one file a topic. Each file ends with its own list; this is the list of the lists.

mod concurrency;
mod create;
mod create_many;
mod cursors;
mod data;
mod delete;
mod delete_tokens;
mod expiry;
mod filters;
mod flush;
mod indexes;
mod list;
mod list_revoked;
mod namespaces;
mod replace;
mod rotate;
mod second_handle;
mod secrets;
mod store_info;
mod text;

use crate::case::Case;

const FILES: &[&[Case]] = &[
    create::CASES,
    delete::CASES,
    delete_tokens::CASES,
    filters::CASES,
    list::CASES,
    list_revoked::CASES,
    replace::CASES,
    rotate::CASES,
    flush::CASES,
    create_many::CASES,
    store_info::CASES,
    expiry::CASES,
    cursors::CASES,
    indexes::CASES,
    data::CASES,
    text::CASES,
    second_handle::CASES,
    namespaces::CASES,
    secrets::CASES,
];

/// Every case of the suite, in the order in which they are listed.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    FILES.iter().chain(concurrency::FILES).copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        for case in all() {
            assert!(seen.insert(case.info.name), "{} twice", case.info.name);
        }
    }

    #[test]
    fn every_rule_cited_exists() {
        for case in all() {
            for rule in case.info.rules {
                let number: Option<u32> = rule.strip_prefix('R').and_then(|n| n.parse().ok());
                let exists = number.is_some_and(|number| (1..=20).contains(&number));
                assert!(exists, "{} cites {rule}", case.info.name);
            }
        }
    }
}
