//! The listings, and their cursors.

use tokenkeep_backend::read;
use tokenkeep_core::{
    Cursors, Page, PageRequest, Result, RevokedToken, StoreId, TokenFilter, TokenId, TokenRecord,
};

use super::core::{Core, reading};
use crate::dialect::Place;

/// The longest page of whole records: with data at the limit some 64 MB.
const MAX_RECORDS: usize = 1_000;

/// Active records that match, in order of their ids (R9).
pub(super) async fn list(
    core: &Core,
    store: StoreId,
    filter: &TokenFilter,
    page: &PageRequest,
) -> Result<Page<TokenRecord>> {
    let cursors = Cursors::of_list(store, filter);
    let position = page.cursor().map(|cursor| cursors.position(cursor));
    let after = position.transpose()?.map(TokenId::from_bytes);
    let limit = page.limit().min(MAX_RECORDS);
    let now = core.now();
    let call = core.call();
    // One more than is given back tells whether there are more.
    let mut items = read(&call, || {
        core.dialect.list(&call, filter, after, limit + 1, now)
    })
    .await
    .map_err(reading)?;
    let more = items.len() > limit;
    items.truncate(limit);
    let cursor = match items.last() {
        Some(last) => Some(cursors.at(last.id.as_bytes())),
        None => page.cursor().cloned(),
    };
    Ok(Page {
        items,
        cursor,
        more,
    })
}

/// Revoked, unexpired tokens in the order of their revocation (R10).
pub(super) async fn list_revoked(
    core: &Core,
    store: StoreId,
    page: &PageRequest,
) -> Result<Page<RevokedToken>> {
    let cursors = Cursors::of_list_revoked(store);
    let position = page.cursor().map(|cursor| cursors.position(cursor));
    let after = position.transpose()?.map_or(0, u64::from_be_bytes);
    let now = core.now();
    let call = core.call();
    let mut seen = read(&call, || {
        let limit = page.limit() + 1;
        core.dialect.revoked(&call, Place(after), limit, now)
    })
    .await
    .map_err(reading)?;
    let more = seen.len() > page.limit();
    seen.truncate(page.limit());
    let cursor = match seen.last() {
        Some((place, _)) => Some(cursors.at(&place.0.to_be_bytes())),
        None => page.cursor().cloned(),
    };
    Ok(Page {
        items: seen.into_iter().map(|(_, token)| token).collect(),
        cursor,
        more,
    })
}
