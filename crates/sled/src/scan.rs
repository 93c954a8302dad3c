//! Listings.

use tokenkeep_core::{
    Cursor, Cursors, Page, PageRequest, Result, RevokedToken, Timestamp, TokenFilter, TokenId,
    TokenRecord,
};
use tokenkeep_layout::{Key, RevocationEntry, Sequence, indexed, revoked};

use crate::namespace::Namespace;
use crate::slices::token_of;

/// How many entries a page may pass over beyond those it gives.
const PASSED_OVER: usize = 1_000;

/// One page of the active tokens that match, in the order of their ids (R9).
pub(crate) fn list(
    namespace: &Namespace,
    filter: &TokenFilter,
    request: &PageRequest,
    now: Timestamp,
) -> Result<Page<TokenRecord>> {
    let (anchor, value) = filter.check()?;
    let cursors = Cursors::of_list(namespace.store_id(), filter);
    let after = position(request, &cursors)?.map(TokenId::from_bytes);
    let mut page = Filling::new(request);
    for entry in namespace.scan(indexed(anchor, value, after.as_ref())) {
        let id = token_of(&entry?.0)?;
        // A token that is being created, revoked or removed may stand in the index alone.
        let found = namespace
            .find(&id)?
            .filter(|found| found.record().is_active(now) && filter.matches(found.record()));
        let found = found.map(tokenkeep_layout::Stored::into_record);
        if !page.take(found, || cursors.at(id.as_bytes())) {
            break;
        }
    }
    Ok(page.page)
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
