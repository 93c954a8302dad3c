//! The life of one token, and whether calls that overlapped can be put in an order that it allows.

use std::collections::HashSet;

use tokenkeep_core::TokenId;

/// What one call says of one token. A mark stands for the data that one call wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was created with this mark.
    Created(u32),
    /// It could not be created.
    Taken,
    /// It was active with this version and mark.
    Active(u64, u32),
    /// It was absent or revoked.
    NotActive,
    /// It was neither active nor revoked.
    Absent,
    /// It was revoked by this call, and this is its successor.
    Revoked(Option<TokenId>),
    /// It had been revoked before, with this successor.
    Used(Option<TokenId>),
    /// Of this version it was replaced, with this mark.
    Replaced(u64, u32),
    /// It was active, but not of this version.
    Stale(u64),
}

/// A call, with a moment before it began and one by which it had returned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) said: Said,
}

/// What a token is between two calls. It never expires here.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Life {
    Absent,
    Active(u64, u32),
    Revoked(Option<TokenId>),
}

impl Life {
    /// What the token is after a call that said this, if that is what the contract lets it say.
    fn after(self, said: Said) -> Option<Self> {
        match (self, said) {
            (Self::Absent, Said::Created(mark)) => Some(Self::Active(1, mark)),
            (Self::Absent, Said::NotActive | Said::Absent) => Some(self),
            (Self::Active(version, mark), Said::Active(seen, mark_seen)) => {
                (version == seen && mark == mark_seen).then_some(self)
            }
            (Self::Active(version, _), Said::Replaced(from, mark)) => {
                (version == from).then_some(Self::Active(from + 1, mark))
            }
            (Self::Active(version, _), Said::Stale(expected)) => {
                (version != expected).then_some(self)
            }
            (Self::Active(..), Said::Revoked(successor)) => Some(Self::Revoked(successor)),
            (Self::Active(..) | Self::Revoked(_), Said::Taken) => Some(self),
            (Self::Revoked(_), Said::NotActive) => Some(self),
            (Self::Revoked(successor), Said::Used(told)) => (successor == told).then_some(self),
            _ => None,
        }
    }
}

/// Tells whether the calls can be put in an order in which each says what the contract lets it, and
/// in which no call comes before one that had returned when it began.
pub(super) fn explained(events: &[Event]) -> bool {
    search(
        events,
        &mut vec![false; events.len()],
        Life::Absent,
        &mut HashSet::new(),
    )
}

/// Tries each call that may be next; `tried` has the sets of calls done, each with the life after
/// them, that lead nowhere.
fn search(
    events: &[Event],
    done: &mut Vec<bool>,
    life: Life,
    tried: &mut HashSet<(Vec<bool>, Life)>,
) -> bool {
    let left = |done: &[bool]| {
        (0..events.len())
            .filter(|place| !done[*place])
            .collect::<Vec<_>>()
    };
    let left = left(done);
    let Some(first_return) = left.iter().map(|place| events[*place].after).min() else {
        return true;
    };
    if !tried.insert((done.clone(), life)) {
        return false;
    }
    for place in left {
        let event = events[place];
        let Some(next) = life
            .after(event.said)
            .filter(|_| event.before < first_return)
        else {
            continue;
        };
        done[place] = true;
        if search(events, done, next, tried) {
            return true;
        }
        done[place] = false;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(events: &[(u64, u64, Said)]) -> bool {
        let event = |(before, after, said): &(u64, u64, Said)| Event {
            before: *before,
            after: *after,
            said: *said,
        };
        explained(&events.iter().map(event).collect::<Vec<_>>())
    }

    #[test]
    fn a_life_in_a_row_is_explained() {
        assert!(history(&[
            (0, 1, Said::NotActive),
            (2, 3, Said::Created(7)),
            (4, 5, Said::Taken),
            (6, 7, Said::Active(1, 7)),
            (8, 9, Said::Replaced(1, 8)),
            (10, 11, Said::Stale(1)),
            (12, 13, Said::Active(2, 8)),
            (14, 15, Said::Revoked(None)),
            (16, 17, Said::NotActive),
            (18, 19, Said::Used(None)),
        ]));
    }

    #[test]
    fn calls_that_overlap_may_come_in_either_order() {
        let created = (0, 10, Said::Created(7));
        assert!(history(&[created, (1, 2, Said::NotActive)]));
        assert!(history(&[created, (1, 2, Said::Active(1, 7))]));
        assert!(history(&[
            created,
            (1, 2, Said::NotActive),
            (3, 4, Said::Active(1, 7))
        ]));
        assert!(!history(&[
            created,
            (1, 2, Said::Active(1, 7)),
            (3, 4, Said::NotActive)
        ]));
    }

    #[test]
    fn what_breaks_a_rule_is_not_explained() {
        let created = (0, 1, Said::Created(7));
        let revoked = (2, 3, Said::Revoked(None));
        assert!(!history(&[created, (2, 3, Said::NotActive)]), "lost");
        assert!(
            !history(&[created, revoked, (4, 5, Said::Active(1, 7))]),
            "revived"
        );
        assert!(
            !history(&[created, (0, 1, Said::Created(8))]),
            "two winners"
        );
        assert!(
            !history(&[created, revoked, (2, 3, Said::Revoked(None))]),
            "revoked twice"
        );
        assert!(
            !history(&[created, (2, 3, Said::Active(1, 8))]),
            "another's data"
        );
        let replaced = (2, 3, Said::Replaced(1, 8));
        assert!(
            !history(&[created, replaced, (2, 3, Said::Replaced(1, 9))]),
            "a lost update"
        );
        assert!(
            !history(&[created, replaced, (4, 5, Said::Active(1, 7))]),
            "an old version"
        );
    }
}
