//! Conveniences on any driver.

use std::num::NonZeroU32;

use async_trait::async_trait;

use crate::{PageRequest, Result, RevokedToken, TokenDriver, TokenFilter, TokenRecord};

/// Conveniences for callers, built on [`TokenDriver`] alone, so that drivers stay small.
#[async_trait]
pub trait TokenDriverExt: TokenDriver {
    /// Gives all active tokens that match, in one list: for small results.
    ///
    /// # Errors
    ///
    /// As [`TokenDriver::list`].
    async fn list_all(&self, filter: &TokenFilter) -> Result<Vec<TokenRecord>> {
        let mut all = Vec::new();
        let mut request = PageRequest::default();
        loop {
            let page = self.list(filter, &request).await?;
            all.extend(page.items);
            if !page.more {
                return Ok(all);
            }
            request = request.after(page.cursor);
        }
    }

    /// Gives all revoked, unexpired tokens, in order of revocation: for small results.
    ///
    /// # Errors
    ///
    /// As [`TokenDriver::list_revoked`].
    async fn list_all_revoked(&self) -> Result<Vec<RevokedToken>> {
        let mut all = Vec::new();
        let mut request = PageRequest::default();
        loop {
            let page = self.list_revoked(&request).await?;
            all.extend(page.items);
            if !page.more {
                return Ok(all);
            }
            request = request.after(page.cursor);
        }
    }

    /// Removes all expired tokens, `batch` at a time; returns how many went.
    ///
    /// # Errors
    ///
    /// As [`TokenDriver::flush_expired`]; what went before the error stays gone.
    async fn flush_all_expired(&self, batch: NonZeroU32) -> Result<u64> {
        let mut removed = 0;
        loop {
            let flushed = self.flush_expired(batch).await?;
            removed += flushed.removed;
            if !flushed.more {
                return Ok(removed);
            }
        }
    }
}

impl<D: TokenDriver + ?Sized> TokenDriverExt for D {}
