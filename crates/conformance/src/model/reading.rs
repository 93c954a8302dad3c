//! Listings and feeds read page by page.

use std::collections::BTreeSet;

use tokenkeep_core::{
    Cursor, Error, PageRequest, RevokedToken, TokenDriver, TokenFilter, TokenId, TokenRecord,
};

use crate::check::{Check, Failure, ensure};

/// More pages than any listing here can have, though some may be empty.
const MOST_PAGES: u32 = 1_000;

/// Lists in pages of this length; an error of the first page is the answer.
pub(super) async fn list_whole(
    driver: &dyn TokenDriver,
    filter: &TokenFilter,
    limit: u32,
) -> Check<Result<Vec<TokenRecord>, Error>> {
    let mut request = PageRequest::new(limit)?;
    let mut all = Vec::new();
    for number in 0..MOST_PAGES {
        let page = match driver.list(filter, &request).await {
            Err(error) if number == 0 => return Ok(Err(error)),
            page => page?,
        };
        ensure(page.items.len() <= request.limit(), "a page is too long")?;
        all.extend(page.items);
        if !page.more {
            return Ok(Ok(all));
        }
        request = request.after(page.cursor);
    }
    Err(Failure::new("the listing does not come to an end"))
}

/// Where a follower of the feed is.
#[derive(Default)]
pub(super) struct Place(Option<Cursor>);

impl Place {
    /// Reads on to the end.
    pub(super) async fn follow(
        &mut self,
        driver: &dyn TokenDriver,
        limit: u32,
    ) -> Check<Vec<RevokedToken>> {
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let request = PageRequest::new(limit)?.after(self.0.take());
            let page = driver.list_revoked(&request).await?;
            ensure(page.items.len() <= request.limit(), "a page is too long")?;
            all.extend(page.items);
            self.0 = page.cursor;
            if !page.more {
                return Ok(all);
            }
        }
        Err(Failure::new("the feed does not come to an end"))
    }
}

/// A listing that other calls come between.
pub(super) struct Listing {
    filter: TokenFilter,
    cursor: Option<Cursor>,
    /// Matching tokens that have been active since the listing began.
    throughout: BTreeSet<TokenId>,
    /// Tokens that it gave, and that have been active since.
    seen: BTreeSet<TokenId>,
    pages: u32,
}

impl Listing {
    pub(super) fn new(filter: TokenFilter, active: &[TokenRecord]) -> Self {
        Self {
            filter,
            cursor: None,
            throughout: active.iter().map(|token| token.id).collect(),
            seen: BTreeSet::new(),
            pages: 0,
        }
    }

    pub(super) const fn filter(&self) -> &TokenFilter {
        &self.filter
    }

    /// Takes note of the matching tokens that are active now.
    pub(super) fn watch(&mut self, active: &[TokenRecord]) {
        let active: BTreeSet<_> = active.iter().map(|token| token.id).collect();
        self.throughout.retain(|id| active.contains(id));
        self.seen.retain(|id| active.contains(id));
    }

    /// Reads a page, given the tokens that match now; tells whether it was the last.
    pub(super) async fn next_page(
        &mut self,
        driver: &dyn TokenDriver,
        limit: u32,
        active: &[TokenRecord],
    ) -> Check<bool> {
        self.pages += 1;
        ensure(
            self.pages <= MOST_PAGES,
            "the listing does not come to an end",
        )?;
        let request = PageRequest::new(limit)?.after(self.cursor.take());
        let page = driver.list(&self.filter, &request).await?;
        ensure(page.items.len() <= request.limit(), "a page is too long")?;
        for token in page.items {
            ensure(
                active.contains(&token),
                format!("a page has a token that is not active like this: {token:?}"),
            )?;
            ensure(
                self.seen.insert(token.id),
                format!("the pages repeat token {}", token.id),
            )?;
        }
        self.cursor = page.cursor;
        if !page.more {
            let skipped: Vec<_> = self.throughout.difference(&self.seen).collect();
            ensure(
                skipped.is_empty(),
                format!("the pages skip tokens {skipped:?}"),
            )?;
        }
        Ok(!page.more)
    }
}
