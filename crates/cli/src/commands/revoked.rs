//! `tokenkeep revoked`.

mod feed;

use std::time::{Duration, Instant};

use clap::Args;
use tokenkeep::{Cursor, PageRequest, RevokedToken, TokenDriver};

use self::feed::Feed;
use crate::args::span;
use crate::exit::{Exit, Failure};
use crate::output::{Output, RevokedLine, Table, WithCursor};
use crate::session::Session;

/// List revoked, unexpired tokens in the order of revocation, or follow them as a feed
///
/// In JSON the last line of each page has a member `cursor` besides: give it back by `--cursor` to
/// go on after that line, at any later time.
#[derive(Debug, Args)]
pub(crate) struct Revoked {
    /// Go on with what is revoked from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How often to look, with `--follow`
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "1s")]
    interval: Duration,
    /// Go on where an earlier listing ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Revoked {
    /// Tells whether only Ctrl-C ends it.
    pub(crate) fn follows(&self) -> bool {
        self.follow
    }

    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let cursor: Option<Cursor> = self.cursor.as_deref().map(str::parse).transpose()?;
        let driver = session.driver().await?;
        let lag = if self.follow {
            driver.check().await?.revocation_lag
        } else {
            Duration::ZERO
        };
        let mut feed = Feed::new(cursor, lag);
        let mut heading = Heading::default();
        loop {
            read_to_end(&*driver, &mut feed, &mut heading, output).await?;
            if !self.follow {
                break;
            }
            tokio::time::sleep(self.interval).await;
        }
        if let Some(cursor) = feed.resume() {
            output.note(format_args!("to go on later: --cursor {cursor}"))?;
        }
        Ok(Exit::Done)
    }
}

async fn read_to_end(
    driver: &dyn TokenDriver,
    feed: &mut Feed,
    heading: &mut Heading,
    output: &mut Output,
) -> Result<(), Failure> {
    let now = Instant::now();
    let mut request = PageRequest::default().after(feed.begin(now));
    loop {
        let page = driver.list_revoked(&request).await?;
        let new = feed.take(page.items, page.cursor.as_ref(), now);
        write(&new, feed.resume(), heading, output)?;
        if !page.more {
            return Ok(());
        }
        request = request.after(page.cursor);
    }
}

/// Whether the heading has been written: a feed has one.
#[derive(Default)]
struct Heading {
    is_written: bool,
}

fn write(
    items: &[RevokedToken],
    resume: Option<&Cursor>,
    heading: &mut Heading,
    output: &mut Output,
) -> std::io::Result<()> {
    let last = items.len().saturating_sub(1);
    let mut table = if heading.is_written {
        Table::fields()
    } else {
        Table::new(&["REVOKED AT", "EXPIRES AT", "AUDIT ID", "USER"])
    };
    for (index, revoked) in items.iter().enumerate() {
        let line = RevokedLine::from(revoked);
        if output.is_json() {
            output.json(&WithCursor::new(line, resume.filter(|_| index == last)))?;
        } else {
            table.row([
                &line.revoked_at,
                &line.expires_at,
                line.audit_id,
                line.user_id,
            ]);
        }
    }
    if !table.is_empty() {
        heading.is_written = true;
        output.table(table)?;
    }
    output.flush()
}
