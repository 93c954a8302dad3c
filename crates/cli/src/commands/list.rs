//! `tokenkeep list`.

use clap::Args;
use tokenkeep::{
    Cursor, PageRequest, Result as TokenResult, TokenDriver, TokenFilter, TokenRecord,
};

use crate::args::FilterArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Listing, Output, PublicToken, TOKEN_HEADER, WithCursor, token_row};
use crate::session::Session;

/// List active tokens, page by page, to the end unless limited
///
/// In JSON the last line of each page has a member `cursor` besides: give it back by `--cursor`,
/// with the same filter, to go on after that line.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    filter: FilterArgs,
    /// Stop after so many tokens
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Go on where an earlier listing with the same filter ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl List {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let filter = self.filter.filter()?;
        let cursor = self.cursor.as_deref().map(str::parse).transpose()?;
        let driver = session.driver().await?;
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut found = false;
        let mut listing = Listing::new(&TOKEN_HEADER);
        let mut pages = Pages::new(&filter, cursor);
        while left > 0 && pages.more() {
            let items = pages.next(&*driver, left).await?;
            left -= items.len() as u64;
            found |= !items.is_empty();
            write_page(&items, pages.cursor.as_ref(), &mut listing, output)?;
        }
        if self.cursor.is_none() && !found {
            output.note("no active token matches")?;
        }
        if let Some(cursor) = pages.cursor.as_ref().filter(|_| pages.more()) {
            output.note(format_args!("there are more: --cursor {cursor}"))?;
        }
        Ok(Exit::Done)
    }
}

/// Walks through a listing.
pub(super) struct Pages<'a> {
    filter: &'a TokenFilter,
    cursor: Option<Cursor>,
    more: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(filter: &'a TokenFilter, cursor: Option<Cursor>) -> Self {
        Self {
            filter,
            cursor,
            more: true,
        }
    }

    /// Tells whether another page may follow.
    pub(super) fn more(&self) -> bool {
        self.more
    }

    /// Gives the next page, of at most so many tokens.
    pub(super) async fn next(
        &mut self,
        driver: &dyn TokenDriver,
        most: u64,
    ) -> TokenResult<Vec<TokenRecord>> {
        let usual = PageRequest::default();
        let limit = u32::try_from(most.min(usual.limit() as u64)).unwrap_or(u32::MAX);
        let request = PageRequest::new(limit)?.after(self.cursor.take());
        let page = driver.list(self.filter, &request).await?;
        self.cursor = page.cursor;
        self.more = page.more;
        Ok(page.items)
    }
}

/// Writes a page; in JSON its last line says where to resume.
pub(super) fn write_page(
    items: &[TokenRecord],
    cursor: Option<&Cursor>,
    listing: &mut Listing,
    output: &mut Output,
) -> std::io::Result<()> {
    if output.is_json() {
        let last = items.len().saturating_sub(1);
        for (index, record) in items.iter().enumerate() {
            let cursor = cursor.filter(|_| index == last);
            output.json(&WithCursor::new(PublicToken::from(record), cursor))?;
        }
    } else {
        listing.write(items.iter().map(token_row), output)?;
    }
    output.flush()
}
