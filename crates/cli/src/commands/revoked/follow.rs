//! Goes on looking at the feed, also while the store cannot be used.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep::{Cursor, TokenDriver};
use tokio::task::spawn_blocking;

use super::feed::Feed;
use super::reader::Reader;
use crate::exit::Failure;
use crate::output::{Output, printable, warn};
use crate::session::Session;

/// How long to rest at most before a store that could not be used is tried again, unless the interval
/// is longer.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// Looks at the feed at intervals, up to the reader's limit.
///
/// The store has to be there at first, so that a mistyped one is told. From then on one that cannot be
/// used is tried again, ever less often, and the feed goes on where it stood.
pub(super) async fn follow(
    cursor: Option<Cursor>,
    interval: Duration,
    session: &Session,
    reader: &mut Reader,
    output: &mut Output,
) -> Result<(), Failure> {
    let driver = session.driver().await?;
    let lag = driver.check().await?.revocation_lag;
    reader.start(Feed::new(cursor, lag));
    let mut kept = Some(driver);
    let mut rest = Rest::new(interval);
    loop {
        match look(&mut kept, session, reader, output).await {
            Ok(()) if reader.is_done() => return Ok(()),
            Ok(()) => rest.note_answer(),
            Err(failure) if failure.is_unavailable() => rest.note_outage(&failure),
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(rest.length).await;
    }
}

/// Reads what is new. An embedded store is closed again, and so is one that could not be used: its file
/// may have been replaced.
async fn look(
    kept: &mut Option<Arc<dyn TokenDriver>>,
    session: &Session,
    reader: &mut Reader,
    output: &mut Output,
) -> Result<(), Failure> {
    let driver = match kept.take() {
        Some(driver) => driver,
        None => session.driver().await?,
    };
    let read = reader.read_to_end(&*driver, output).await;
    if read.is_err() || session.is_embedded() {
        close(driver).await;
    } else {
        *kept = Some(driver);
    }
    read
}

/// Closes a store, on a thread that may wait; what goes wrong is logged by the store.
async fn close(driver: Arc<dyn TokenDriver>) {
    let _ = spawn_blocking(move || drop(driver)).await;
}

/// How long to rest until the next look.
struct Rest {
    interval: Duration,
    length: Duration,
    is_out: bool,
}

impl Rest {
    const fn new(interval: Duration) -> Self {
        Self {
            interval,
            length: interval,
            is_out: false,
        }
    }

    fn note_answer(&mut self) {
        self.length = self.interval;
        if std::mem::take(&mut self.is_out) {
            warn("the store can be used again");
        }
    }

    /// Tells of the first failure in a row, and rests longer after each.
    fn note_outage(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.is_out, true) {
            let failure = failure.to_string();
            let failure = printable(&failure);
            warn(format_args!("{failure}; trying again until it can be used"));
            return;
        }
        let longest = LONGEST_REST.max(self.interval);
        self.length = self.length.saturating_mul(2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenkeep::{Error, ErrorKind};

    fn rests(interval: Duration) -> Vec<Duration> {
        let mut rest = Rest::new(interval);
        let failure = Failure::Token(Error::from(ErrorKind::Unavailable));
        let mut after = || {
            rest.note_outage(&failure);
            rest.length
        };
        let all = (0..20).map(|_| after()).collect();
        rest.note_answer();
        assert_eq!(rest.length, interval);
        all
    }

    #[test]
    fn it_rests_ever_longer_within_a_bound() {
        let rests_of_a_second = rests(Duration::from_secs(1));
        let begin: Vec<_> = rests_of_a_second.iter().map(Duration::as_secs).collect();
        assert_eq!(begin[..6], [1, 2, 4, 8, 10, 10]);
        let hour = Duration::from_secs(3_600);
        assert!(rests(hour).iter().all(|rest| *rest == hour));
        assert_eq!(rests(Duration::from_millis(20)).last(), Some(&LONGEST_REST));
    }
}
