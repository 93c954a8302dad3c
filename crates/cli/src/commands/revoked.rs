//! `tokenkeep revoked`.

mod feed;
mod follow;
mod reader;

use std::time::Duration;

use clap::Args;
use tokenkeep::Cursor;

use self::feed::Feed;
use self::follow::follow;
use self::reader::Reader;
use crate::args::span;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::session::Session;
use crate::signals::interrupted;

/// List revoked, unexpired tokens in the order of revocation, or follow them as a feed
///
/// In JSON the last line of each page has a member `cursor` besides: give it back by `--cursor` to
/// go on after that line, at any later time.
///
/// With `--follow` an embedded store is opened for each look and closed again, so that others can write in
/// between. A store that cannot be used later on is told of once and tried again, at most 10 s (or the
/// interval) apart, and the feed goes on where it stood; at the start it ends the program.
#[derive(Debug, Args)]
pub(crate) struct Revoked {
    /// Go on with what is revoked from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How often to look, with `--follow`
    #[arg(long, value_name = "SPAN", value_parser = interval, default_value = "1s")]
    interval: Duration,
    /// Stop after so many tokens
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Go on where an earlier listing ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Revoked {
    /// Tells whether it deals with Ctrl-C itself.
    pub(crate) fn follows(&self) -> bool {
        self.follow
    }

    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let cursor: Option<Cursor> = self.cursor.as_deref().map(str::parse).transpose()?;
        let given = cursor.clone();
        let feed = Feed::new(cursor.clone(), Duration::ZERO);
        let mut reader = Reader::new(feed, self.limit);
        let ended = if self.follow {
            tokio::select! {
                ended = follow(cursor, self.interval, session, &mut reader, output) => ended,
                () = interrupted() => Ok(()),
            }
        } else {
            let driver = session.driver().await?;
            reader.read_to_end(&*driver, output).await
        };
        // After a failure too, if something was told until then.
        let is_known = |at: &&Cursor| ended.is_err() && given.as_ref() == Some(*at);
        let noted = match reader.resume().filter(|at| !is_known(at)) {
            Some(cursor) => output.note(format_args!("to go on later: --cursor {cursor}")),
            None => Ok(()),
        };
        ended?;
        noted?;
        Ok(Exit::Done)
    }
}

/// Reads a span that is none of no length.
fn interval(value: &str) -> Result<Duration, String> {
    match span(value)? {
        Duration::ZERO => Err("it has to be longer than nothing".to_owned()),
        interval => Ok(interval),
    }
}

#[cfg(test)]
mod tests {
    use super::interval;

    #[test]
    fn an_interval_is_some_time() {
        assert!(interval("1ms").is_ok());
        assert!(interval("0s").is_err() && interval("soon").is_err());
    }
}
