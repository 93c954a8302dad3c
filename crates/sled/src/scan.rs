//! Listings.

use tokenkeep_core::{
    Cursor, Cursors, Page, PageRequest, Result, RevokedToken, Timestamp, TokenFilter, TokenId,
    TokenRecord,
};
use tokenkeep_layout::{Key, RevocationEntry, Sequence, Stored, revoked};

use crate::namespace::Namespace;

/// How many entries a page may pass over beyond those it gives.
const PASSED_OVER: usize = 1_000;
/// How many tokens are looked at as of one instant: the writer waits meanwhile.
const STRETCH: usize = 64;

/// One page of the active tokens that match, in the order of their ids (R9).
pub(crate) fn list(
    namespace: &Namespace,
    filter: &TokenFilter,
    request: &PageRequest,
    now: Timestamp,
) -> Result<Page<TokenRecord>> {
    let (anchor, value) = filter.check()?;
    let cursors = Cursors::of_list(namespace.store_id(), filter);
    let mut after = position(request, &cursors)?.map(TokenId::from_bytes);
    let mut page = Filling::new(request);
    loop {
        let stretch = namespace.stretch(anchor, value, after.as_ref(), STRETCH)?;
        for (id, value) in stretch.tokens {
            let found = value
                .map(|value| Stored::decode(&id, &value))
                .transpose()?
                .map(Stored::into_record)
                .filter(|found| found.is_active(now) && filter.matches(found));
            if !page.take(found, || cursors.at(id.as_bytes())) {
                return Ok(page.page);
            }
            after = Some(id);
        }
        if stretch.is_last {
            return Ok(page.page);
        }
    }
}

/// One page of the revoked tokens, in the order of revocation (R10).
pub(crate) fn list_revoked(
    namespace: &Namespace,
    request: &PageRequest,
    now: Timestamp,
) -> Result<Page<RevokedToken>> {
    let cursors = Cursors::of_list_revoked(namespace.store_id());
    let after = position(request, &cursors)?.map_or(Sequence::NONE, |position| {
        Sequence::from_u64(u64::from_be_bytes(position))
    });
    let mut page = Filling::new(request);
    for entry in namespace.scan(revoked(after, namespace.visible())) {
        let (Key::Revocation(number), value) = entry? else {
            continue;
        };
        let found = RevocationEntry::decode(number, &value)?;
        let found = Some(found).filter(|found| found.expires_at > now);
        if !page.take(found, || cursors.at(&number.to_u64().to_be_bytes())) {
            break;
        }
    }
    Ok(page.page)
}

fn position<const LEN: usize>(
    request: &PageRequest,
    cursors: &Cursors,
) -> Result<Option<[u8; LEN]>> {
    let cursor = request.cursor();
    cursor.map(|cursor| cursors.position(cursor)).transpose()
}

/// A page that is being filled.
struct Filling<T> {
    page: Page<T>,
    limit: usize,
    passed_over: usize,
}

impl<T> Filling<T> {
    fn new(request: &PageRequest) -> Self {
        Self {
            page: Page {
                items: Vec::new(),
                cursor: request.cursor().cloned(),
                more: false,
            },
            limit: request.limit(),
            passed_over: 0,
        }
    }

    /// Takes the next entry, an item of the list or not; false once the page is done.
    fn take(&mut self, item: Option<T>, cursor: impl FnOnce() -> Cursor) -> bool {
        let full = self.page.items.len() == self.limit;
        if full && item.is_some() || self.passed_over == PASSED_OVER {
            self.page.more = true;
            return false;
        }
        match item {
            Some(item) => self.page.items.push(item),
            None => self.passed_over += 1,
        }
        self.page.cursor = Some(cursor());
        true
    }
}
