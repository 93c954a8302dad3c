//! Looks at a store from every side that its methods offer.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokenkeep_core::ErrorKind::NotFound;
use tokenkeep_core::{
    Anchor, Cursor, PageRequest, RevokedToken, Text, TokenDriver, TokenFilter, TokenId, TokenRecord,
};

use crate::check::{Check, Failure, ensure, fails, same, step};

pub(crate) type Driver = Arc<dyn TokenDriver>;

/// More pages than any case fills: a listing beyond it never ends.
const MAX_PAGES: usize = 30_000;

/// A filter with this one anchor.
pub(crate) fn by(anchor: Anchor, value: &str) -> Check<TokenFilter> {
    let filter = TokenFilter::new();
    Ok(match anchor {
        Anchor::Trust => filter.with_trust(value)?,
        Anchor::User => filter.with_user(value)?,
        Anchor::Consumer => filter.with_consumer(value)?,
        Anchor::Tenant => filter.with_tenant(value)?,
        Anchor::Domain => filter.with_domain(value)?,
    })
}

/// Both filters joined.
pub(crate) fn both(one: &TokenFilter, two: &TokenFilter) -> TokenFilter {
    TokenFilter {
        user_id: two.user_id.clone().or_else(|| one.user_id.clone()),
        tenant_id: two.tenant_id.clone().or_else(|| one.tenant_id.clone()),
        domain_id: two.domain_id.clone().or_else(|| one.domain_id.clone()),
        trust_id: two.trust_id.clone().or_else(|| one.trust_id.clone()),
        consumer_id: two.consumer_id.clone().or_else(|| one.consumer_id.clone()),
        audit_id: two.audit_id.clone().or_else(|| one.audit_id.clone()),
        audit_chain_id: two
            .audit_chain_id
            .clone()
            .or_else(|| one.audit_chain_id.clone()),
        issued_before: two.issued_before.or(one.issued_before),
    }
}

/// The record with this value at the anchor, whatever it had there.
pub(crate) fn at(record: TokenRecord, anchor: Anchor, value: &str) -> Check<TokenRecord> {
    Ok(match anchor {
        Anchor::Trust => record.with_trust(value)?,
        Anchor::User => TokenRecord {
            user_id: Text::new("user_id", value)?,
            ..record
        },
        Anchor::Consumer => record.with_consumer(value)?,
        Anchor::Tenant => record.with_tenant(value)?,
        Anchor::Domain => record.with_domain(value)?,
    })
}

/// One filter for each anchor that the record has.
pub(crate) fn by_each_anchor(record: &TokenRecord) -> Check<Vec<TokenFilter>> {
    Anchor::ALL
        .into_iter()
        .filter_map(|anchor| Some(by(anchor, anchor.of(record)?)))
        .collect()
}

pub(crate) fn ids<'a>(records: impl IntoIterator<Item = &'a TokenRecord>) -> BTreeSet<TokenId> {
    records.into_iter().map(|record| record.id).collect()
}

/// Follows a listing page by page, so that a case can do something in between.
pub(crate) struct Pages {
    driver: Driver,
    filter: TokenFilter,
    /// What to ask for next; none after the last page.
    request: Option<PageRequest>,
    pages: usize,
    seen: BTreeSet<TokenId>,
}

impl Pages {
    pub(crate) fn new(driver: Driver, filter: TokenFilter, limit: u32) -> Check<Self> {
        Ok(Self {
            driver,
            filter,
            request: Some(PageRequest::new(limit)?),
            pages: 0,
            seen: BTreeSet::new(),
        })
    }

    /// The next page; fails if it repeats a record, is too long, or is one of too many.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Check<Option<Vec<TokenRecord>>>> {
        step("next", async move {
            let Some(request) = self.request.take() else {
                return Ok(None);
            };
            self.pages += 1;
            ensure(self.pages < MAX_PAGES, "the listing does not end")?;
            let page = self.driver.list(&self.filter, &request).await?;
            page_is_sound(page.items.len(), page.cursor.as_ref(), &request)?;
            for record in &page.items {
                let id = record.id;
                ensure(self.seen.insert(id), format!("{id} is listed twice"))?;
            }
            self.request = page.more.then(|| request.after(page.cursor));
            Ok(Some(page.items))
        })
    }

    /// Asks this handle for the next page.
    pub(crate) fn go_on_with(&mut self, driver: Driver) {
        self.driver = driver;
    }

    /// The ids of the pages so far.
    pub(crate) const fn seen(&self) -> &BTreeSet<TokenId> {
        &self.seen
    }
}

/// All that `list` shows, in its order, through pages of this size.
#[track_caller]
pub(crate) fn listed_in_pages(
    driver: &Driver,
    filter: &TokenFilter,
    limit: u32,
) -> impl Future<Output = Check<Vec<TokenRecord>>> {
    step("listed_in_pages", async move {
        let mut all = Vec::new();
        let mut pages = Pages::new(Arc::clone(driver), filter.clone(), limit)?;
        while let Some(items) = pages.next().await? {
            all.extend(items);
        }
        Ok(all)
    })
}

/// The ids that `list` shows.
#[track_caller]
pub(crate) fn listed(
    driver: &Driver,
    filter: &TokenFilter,
) -> impl Future<Output = Check<BTreeSet<TokenId>>> {
    step("listed", async move {
        Ok(ids(&listed_in_pages(driver, filter, 1_000).await?))
    })
}

/// The feed after a cursor, in pages of this size, and the cursor where it ends.
#[track_caller]
pub(crate) fn feed_after(
    driver: &Driver,
    cursor: Option<Cursor>,
    limit: u32,
) -> impl Future<Output = Check<(Vec<RevokedToken>, Option<Cursor>)>> {
    step("feed_after", async move {
        let mut all: Vec<RevokedToken> = Vec::new();
        let mut request = PageRequest::new(limit)?.after(cursor);
        for _ in 0..MAX_PAGES {
            let page = driver.list_revoked(&request).await?;
            page_is_sound(page.items.len(), page.cursor.as_ref(), &request)?;
            all.extend(page.items);
            if !page.more {
                let different: BTreeSet<_> = all.iter().map(|item| item.id).collect();
                let what = "items of the feed, and ids in it";
                same(&all.len(), &different.len(), what)?;
                return Ok((all, page.cursor));
            }
            request = request.after(page.cursor);
        }
        Err(Failure::new("the feed does not end"))
    })
}

/// The ids in the whole feed, in order.
#[track_caller]
pub(crate) fn feed(driver: &Driver) -> impl Future<Output = Check<Vec<TokenId>>> {
    step("feed", async move {
        let (items, _) = feed_after(driver, None, 1_000).await?;
        Ok(items.into_iter().map(|item| item.id).collect())
    })
}

/// A page keeps to its limit, and after something was seen there is a cursor.
fn page_is_sound(items: usize, cursor: Option<&Cursor>, request: &PageRequest) -> Check {
    let limit = request.limit();
    ensure(
        items <= limit,
        format!("a page of {items} items; the limit was {limit}"),
    )?;
    ensure(
        cursor.is_some() || (items == 0 && request.cursor().is_none()),
        "a page has no cursor although something was seen",
    )
}

/// `get` and the listing of every anchor give exactly this record.
#[track_caller]
pub(crate) fn is_active(driver: &Driver, record: &TokenRecord) -> impl Future<Output = Check> {
    step("is_active", async move {
        same(&driver.get(&record.id).await?, record, "what get gives")?;
        for filter in by_each_anchor(record)? {
            let found = listed_in_pages(driver, &filter, 1_000).await?;
            let found = found.into_iter().find(|found| found.id == record.id);
            let what = format!("the record in the listing by {filter:?}");
            same(&found.as_ref(), &Some(record), what)?;
        }
        Ok(())
    })
}

/// Neither `get` nor the listing of any anchor gives the record.
#[track_caller]
pub(crate) fn is_absent(driver: &Driver, record: &TokenRecord) -> impl Future<Output = Check> {
    step("is_absent", async move {
        fails(
            driver.get(&record.id).await,
            NotFound,
            "get of a token that is not active",
        )?;
        for filter in by_each_anchor(record)? {
            let found = listed(driver, &filter).await?.contains(&record.id);
            let what = format!("a token that is not active is listed by {filter:?}");
            ensure(!found, what)?;
        }
        Ok(())
    })
}
