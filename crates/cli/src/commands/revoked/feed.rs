//! Where a follower of the revocation feed stands.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use tokenkeep::{Cursor, RevokedToken, TokenId};

/// Reads the feed so that nothing is missed and nothing told twice, even where an earlier
/// revocation becomes visible after a later one (R10): every look begins where the feed stood
/// before the store's lag, and what was told since then is left out.
pub(super) struct Feed {
    lag: Duration,
    /// Where the feed stood, and when; the first is where the next look begins.
    stood: VecDeque<(Instant, Option<Cursor>)>,
    /// What was told since then, and when.
    told: HashMap<TokenId, Instant>,
    /// Where the present look has come to.
    reached: Option<Cursor>,
    /// When the last look that came to the end of the feed began.
    looked: Option<Instant>,
}

impl Feed {
    pub(super) fn new(cursor: Option<Cursor>, lag: Duration) -> Self {
        Self {
            lag,
            stood: VecDeque::new(),
            told: HashMap::new(),
            reached: cursor,
            looked: None,
        }
    }

    /// Begins a look at this instant; says after what.
    ///
    /// A place may be left behind once a look was made the lag after the feed had reached it: by
    /// then everything before it was visible, and that look saw it.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Cursor> {
        if self.lag.is_zero() {
            return self.reached.clone();
        }
        if let Some(looked) = self.looked {
            while let Some((reached, _)) = self.stood.get(1)
                && looked.duration_since(*reached) >= self.lag
            {
                self.stood.pop_front();
            }
        }
        self.stood.push_back((now, self.reached.clone()));
        let (since, cursor) = self.stood.front().cloned().unwrap_or((now, None));
        self.told.retain(|_, at| *at >= since);
        cursor
    }

    /// Notes that the look that began at this instant came to the end of the feed. One that failed has
    /// not seen what lies behind, and nothing is left behind for it.
    pub(super) fn end(&mut self, began: Instant) {
        self.looked = Some(began);
    }

    /// Takes a page of the look that began at this instant; gives what is new.
    pub(super) fn take(
        &mut self,
        items: Vec<RevokedToken>,
        cursor: Option<&Cursor>,
        began: Instant,
    ) -> Vec<RevokedToken> {
        if let Some(cursor) = cursor {
            self.reached = Some(cursor.clone());
        }
        if self.lag.is_zero() {
            return items;
        }
        let is_new = |item: &RevokedToken| self.told.insert(item.id, began).is_none();
        items.into_iter().filter(is_new).collect()
    }

    /// Where a later listing may go on and miss nothing; with a lag it repeats some.
    pub(super) fn resume(&self) -> Option<&Cursor> {
        if self.lag.is_zero() {
            return self.reached.as_ref();
        }
        self.stood.front().and_then(|(_, cursor)| cursor.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenkeep::{Cursors, StoreId, Text, Timestamp};

    const SECOND: Duration = Duration::from_secs(1);

    fn at(position: u8) -> Cursor {
        Cursors::of_list_revoked(StoreId::from_u64(1)).at(&[position])
    }

    fn item(number: u8) -> RevokedToken {
        RevokedToken {
            id: TokenId::from_bytes([number; 32]),
            audit_id: Text::new("audit_id", "a").unwrap(),
            user_id: Text::new("user_id", "u").unwrap(),
            revoked_at: Timestamp::MIN,
            expires_at: Timestamp::MAX,
        }
    }

    /// One look that finds these items and comes to this place: where it began, and what it told.
    fn look(feed: &mut Feed, now: Instant, found: &[u8], to: u8) -> (Option<Cursor>, Vec<u8>) {
        let from = feed.begin(now);
        let items = found.iter().copied().map(item).collect();
        let new = feed.take(items, Some(&at(to)), now);
        let told = new.iter().map(|item| item.id.as_bytes()[0]).collect();
        feed.end(now);
        (from, told)
    }

    #[test]
    fn without_a_lag_each_look_begins_where_the_last_ended() {
        let start = Instant::now();
        let mut feed = Feed::new(Some(at(1)), Duration::ZERO);
        assert_eq!(
            look(&mut feed, start, &[2, 3], 3),
            (Some(at(1)), vec![2, 3])
        );
        assert_eq!(
            look(&mut feed, start + SECOND, &[4], 4),
            (Some(at(3)), vec![4])
        );
        assert_eq!(feed.resume(), Some(&at(4)));
        let third = look(&mut feed, start + 2 * SECOND, &[], 4);
        assert_eq!(third, (Some(at(4)), vec![]));
    }

    #[test]
    fn with_a_lag_what_shows_late_is_told_once() {
        let start = Instant::now();
        let mut feed = Feed::new(None, 2 * SECOND);
        assert_eq!(look(&mut feed, start, &[1, 3], 3), (None, vec![1, 3]));
        let late = look(&mut feed, start + SECOND, &[1, 2, 3, 5], 5);
        assert_eq!(late, (None, vec![2, 5]), "2 became visible after 3");
        let later = look(&mut feed, start + 3 * SECOND, &[1, 2, 3, 4, 5], 5);
        assert_eq!(later, (None, vec![4]));
        // The look at 3 s came a lag after place 3 had been reached, so the next begins there.
        let next = look(&mut feed, start + 4 * SECOND, &[4, 5, 6], 6);
        assert_eq!(next, (Some(at(3)), vec![6]));
        assert_eq!(feed.resume(), Some(&at(3)));
    }

    #[test]
    fn a_look_that_failed_leaves_nothing_behind() {
        let start = Instant::now();
        let mut feed = Feed::new(None, 2 * SECOND);
        look(&mut feed, start, &[1], 1);
        look(&mut feed, start + SECOND, &[1, 3], 3);
        assert_eq!(feed.begin(start + 4 * SECOND), None, "and it finds nobody");
        let after = look(&mut feed, start + 5 * SECOND, &[1, 2, 3], 3);
        assert_eq!(after, (None, vec![2]), "2 became visible after 3");
        assert_eq!(feed.begin(start + 6 * SECOND), Some(at(1)));
    }
}
