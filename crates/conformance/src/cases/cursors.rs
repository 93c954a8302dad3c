//! Cursors: only the listing that gave one takes it.

use tokenkeep_core::ErrorKind::InvalidInput;
use tokenkeep_core::{PageRequest, TokenFilter};

use crate::case::cases;
use crate::check::{Check, ensure, fails};
use crate::context::Context;

cases! { Contract:
    a_list_cursor_of_another_store_is_refused [R9],
}

async fn a_list_cursor_of_another_store_is_refused(ctx: Context) -> Check {
    ctx.stored("ada").await?;
    let filter = TokenFilter::new().with_user("ada")?;
    let page = ctx.driver().list(&filter, &PageRequest::new(1)?).await?;
    ensure(page.cursor.is_some(), "a page with an item has no cursor")?;
    let other = ctx.other_store().await?;
    let request = PageRequest::default().after(page.cursor);
    let answer = other.driver().list(&filter, &request).await;
    fails(answer, InvalidInput, "list with a foreign cursor").map(drop)
}
