//! Faults of `list`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{
    Cursor, Cursors, ErrorKind, Page, PageRequest, Result, StoreId, Timestamp, TokenDriver,
    TokenDriverExt, TokenFilter, TokenId, TokenRecord,
};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::locked;

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<ListRepeatsAtThePageEdge>("contract::pages_of_every_size_give_the_same_order"),
        found_by::<ListSkipsAtThePageEdge>("contract::pages_of_every_size_give_the_same_order"),
        found_by::<ListGoesByOffset>("contract::pages_while_others_are_revoked"),
        found_by::<ListGoesByOffset>(
            "concurrency::list_beside_creates_and_revocations_repeats_and_skips_nothing",
        ),
        found_by::<ListGoesByExpiry>("concurrency::list_beside_replaces_repeats_and_skips_nothing"),
        found_by::<AnyCursorIsTaken>("contract::a_list_cursor_of_another_store_is_refused"),
        found_by::<ListShowsTheRevoked>("contract::list_leaves_out_what_is_not_active"),
    ]
}

/// A cursor that includes what it stands for: `>=` where `>` belongs.
#[derive(Debug, Default)]
struct ListRepeatsAtThePageEdge(Mutex<BTreeMap<String, TokenRecord>>);

#[async_trait]
impl Fault for ListRepeatsAtThePageEdge {
    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        let place = page.cursor().map(Cursor::to_string);
        let edge = place.and_then(|place| locked(&self.0).get(&place).cloned());
        let mut page = sound.driver.list(filter, page).await?;
        if let (Some(cursor), Some(last)) = (&page.cursor, page.items.last()) {
            let (place, last) = (cursor.to_string(), last.clone());
            locked(&self.0).insert(place, last);
        }
        page.items.splice(0..0, edge);
        Ok(page)
    }
}

/// A cursor for a token beyond the page.
#[derive(Debug, Default)]
struct ListSkipsAtThePageEdge;

#[async_trait]
impl Fault for ListSkipsAtThePageEdge {
    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        let limit = page.limit();
        let longer = PageRequest::new(PageRequest::MAX_LIMIT.min(limit as u32 + 1))?;
        let longer = longer.after(page.cursor().cloned());
        let mut page = sound.driver.list(filter, &longer).await?;
        page.items.truncate(limit);
        Ok(page)
    }
}

/// `OFFSET`: a cursor that counts.
#[derive(Debug, Default)]
struct ListGoesByOffset;

#[async_trait]
impl Fault for ListGoesByOffset {
    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        let all = sound.driver.list_all(filter).await?;
        let cursors = Cursors::of_list(StoreId::from_u64(1), filter);
        let offset = match page.cursor() {
            Some(cursor) => usize::from_be_bytes(cursors.position(cursor)?),
            None => 0,
        };
        let items: Vec<_> = all
            .iter()
            .skip(offset)
            .take(page.limit())
            .cloned()
            .collect();
        let offset = offset + items.len();
        Ok(Page {
            items,
            cursor: Some(cursors.at(&offset.to_be_bytes())),
            more: offset < all.len(),
        })
    }
}

/// An order that `replace` changes.
#[derive(Debug, Default)]
struct ListGoesByExpiry;

#[async_trait]
impl Fault for ListGoesByExpiry {
    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        let place = |token: &TokenRecord| (token.expires_at, token.id);
        let mut all = sound.driver.list_all(filter).await?;
        all.sort_by_key(place);
        let cursors = Cursors::of_list(StoreId::from_u64(1), filter);
        if let Some(cursor) = page.cursor() {
            let position: [u8; 40] = cursors.position(cursor)?;
            let expiry = position[..8]
                .iter()
                .fold(0, |sum, byte| sum << 8 | i64::from(*byte));
            let after = (
                Timestamp::from_micros("cursor", expiry)?,
                TokenId::try_from(&position[8..])?,
            );
            all.retain(|token| place(token) > after);
        }
        let more = all.len() > page.limit();
        all.truncate(page.limit());
        let cursor = all.last().map(|token| {
            let expiry = token.expires_at.as_micros().to_be_bytes();
            cursors.at(&[&expiry[..], token.id.as_bytes()].concat())
        });
        Ok(Page {
            items: all,
            cursor: cursor.or_else(|| page.cursor().cloned()),
            more,
        })
    }
}

/// Begins anew where a cursor makes no sense.
#[derive(Debug, Default)]
struct AnyCursorIsTaken;

#[async_trait]
impl Fault for AnyCursorIsTaken {
    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        match sound.driver.list(filter, page).await {
            Err(error) if error.kind() == ErrorKind::InvalidInput && page.cursor().is_some() => {
                let begin = page.clone().after(None);
                sound.driver.list(filter, &begin).await
            }
            answer => answer,
        }
    }
}

/// The index keeps what was revoked.
#[derive(Debug, Default)]
struct ListShowsTheRevoked(Mutex<Vec<TokenRecord>>);

#[async_trait]
impl Fault for ListShowsTheRevoked {
    async fn delete(&self, sound: &Sound, id: &TokenId) -> Result<()> {
        let token = sound.driver.get(id).await?;
        locked(&self.0).push(token);
        sound.driver.delete(id).await
    }

    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        let mut page = sound.driver.list(filter, page).await?;
        let revoked = locked(&self.0);
        let matching = revoked.iter().filter(|token| filter.matches(token));
        page.items.extend(matching.cloned());
        Ok(page)
    }
}
