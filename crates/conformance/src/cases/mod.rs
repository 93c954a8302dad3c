//! All cases: one folder a level, one file a topic. Each file begins with its own list.

mod concurrency;
mod contract;
mod durability;
mod faults;

use crate::case::Case;

/// Every case of the suite, in the order in which they are listed.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let files = [
        contract::FILES,
        concurrency::FILES,
        durability::FILES,
        faults::FILES,
    ];
    files.into_iter().flatten().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::case::Level;

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        for case in all() {
            assert!(seen.insert(case.info.name), "{} twice", case.info.name);
        }
    }

    #[test]
    fn the_rules_cited_exist_and_each_rule_is_cited() {
        let mut cited = HashSet::new();
        for case in all() {
            for rule in case.info.rules {
                let number: Option<u32> = rule.strip_prefix('R').and_then(|n| n.parse().ok());
                let exists = number.is_some_and(|number| (1..=20).contains(&number));
                assert!(exists, "{} cites {rule}", case.info.name);
                cited.insert(number);
            }
        }
        assert_eq!(cited.len(), 20, "a rule has no case: {cited:?}");
    }

    #[test]
    fn levels_stand_in_order() {
        let levels: Vec<_> = all().map(|case| case.info.level).collect();
        assert!(levels.is_sorted());
        for level in Level::ALL {
            assert!(levels.contains(&level), "{level} is empty");
        }
    }
}
