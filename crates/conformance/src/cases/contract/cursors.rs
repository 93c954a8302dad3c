//! Cursors: text that only the listing that gave it takes.

use tokenkeep_core::ErrorKind::InvalidInput;
use tokenkeep_core::{Anchor, Cursor, PageRequest, TokenFilter};

use crate::case::cases;
use crate::check::{Check, Failure, fails, same};
use crate::context::Context;
use crate::probe::{Driver, by};

cases! { Contract:
    a_cursor_survives_as_text [R9 R10],
    a_list_cursor_of_another_store_is_refused [R9],
    a_list_cursor_of_another_filter_is_refused [R9],
    a_list_cursor_of_the_feed_is_refused [R9],
    a_feed_cursor_of_another_store_is_refused [R10],
    a_feed_cursor_of_a_listing_is_refused [R10],
    a_changed_cursor_is_refused [R9 R10],
    garbage_for_a_cursor_is_refused [R9 R10],
}

fn adas() -> Check<TokenFilter> {
    by(Anchor::User, "ada")
}

/// Three active and three revoked tokens of Ada's.
async fn filled(ctx: &Context) -> Check {
    for _ in 0..3 {
        ctx.stored("ada").await?;
        let revoked = ctx.stored("ada").await?;
        ctx.driver().delete(&revoked.id).await?;
    }
    Ok(())
}

async fn list_cursor(driver: &Driver, filter: &TokenFilter) -> Check<Cursor> {
    let page = driver.list(filter, &PageRequest::new(1)?).await?;
    page.cursor
        .ok_or_else(|| Failure::new("a page with an item has no cursor"))
}

async fn feed_cursor(driver: &Driver) -> Check<Cursor> {
    let page = driver.list_revoked(&PageRequest::new(1)?).await?;
    page.cursor
        .ok_or_else(|| Failure::new("a page with an item has no cursor"))
}

fn after(cursor: Cursor) -> PageRequest {
    PageRequest::default().after(Some(cursor))
}

async fn list_refuses(driver: &Driver, cursor: Cursor, what: &str) -> Check {
    let answer = driver.list(&adas()?, &after(cursor)).await;
    fails(answer, InvalidInput, format!("list after {what}"))?;
    Ok(())
}

async fn feed_refuses(driver: &Driver, cursor: Cursor, what: &str) -> Check {
    let answer = driver.list_revoked(&after(cursor)).await;
    fails(answer, InvalidInput, format!("list_revoked after {what}"))?;
    Ok(())
}

/// A client keeps a cursor as text and comes back with it.
async fn a_cursor_survives_as_text(ctx: Context) -> Check {
    filled(&ctx).await?;
    let driver = ctx.driver();
    let cursor: Cursor = list_cursor(&driver, &adas()?).await?.as_str().parse()?;
    let page = driver.list(&adas()?, &after(cursor)).await?;
    same(&page.items.len(), &2, "how many follow in the listing")?;
    let cursor: Cursor = feed_cursor(&driver).await?.as_str().parse()?;
    let page = driver.list_revoked(&after(cursor)).await?;
    same(&page.items.len(), &2, "how many follow in the feed")
}

async fn a_list_cursor_of_another_store_is_refused(ctx: Context) -> Check {
    filled(&ctx).await?;
    let cursor = list_cursor(&ctx.driver(), &adas()?).await?;
    let other = ctx.other_store().await?;
    list_refuses(&other.driver(), cursor, "another store's cursor").await
}

async fn a_list_cursor_of_another_filter_is_refused(ctx: Context) -> Check {
    let record = ctx.record("ada")?.with_tenant("ada")?;
    ctx.driver().create(record.clone()).await?;
    let others = [
        by(Anchor::Tenant, "ada")?,
        adas()?.with_tenant("ada")?,
        adas()?.with_audit_id(&record.audit_id)?,
        adas()?.issued_before(record.expires_at),
    ];
    for other in others {
        let cursor = list_cursor(&ctx.driver(), &other).await?;
        list_refuses(&ctx.driver(), cursor, &format!("a cursor of {other:?}")).await?;
    }
    Ok(())
}

async fn a_list_cursor_of_the_feed_is_refused(ctx: Context) -> Check {
    filled(&ctx).await?;
    let cursor = feed_cursor(&ctx.driver()).await?;
    list_refuses(&ctx.driver(), cursor, "a cursor of the feed").await
}

async fn a_feed_cursor_of_another_store_is_refused(ctx: Context) -> Check {
    filled(&ctx).await?;
    let cursor = feed_cursor(&ctx.driver()).await?;
    let other = ctx.other_store().await?;
    feed_refuses(&other.driver(), cursor, "another store's cursor").await
}

async fn a_feed_cursor_of_a_listing_is_refused(ctx: Context) -> Check {
    filled(&ctx).await?;
    let cursor = list_cursor(&ctx.driver(), &adas()?).await?;
    feed_refuses(&ctx.driver(), cursor, "a cursor of a listing").await
}

/// The text cut, doubled, and with each of its letters changed in turn, but for what is too long for a
/// cursor of any store.
fn changed(cursor: &Cursor) -> Vec<Cursor> {
    let text = cursor.as_str();
    let mut changed: Vec<String> = text
        .char_indices()
        .map(|(place, letter)| {
            let other = if letter == '1' { '2' } else { '1' };
            let rest = &text[place + letter.len_utf8()..];
            format!("{}{other}{rest}", &text[..place])
        })
        .collect();
    changed.push(text.chars().skip(1).collect());
    changed.push(text.chars().skip(2).collect());
    changed.push(text.chars().rev().skip(1).collect());
    changed.push(format!("{text}{text}"));
    changed.push(format!("{text}00"));
    changed.push(format!(" {text}"));
    let cursors = changed.iter().map(|text| text.parse());
    cursors.filter_map(Result::ok).collect()
}

async fn a_changed_cursor_is_refused(ctx: Context) -> Check {
    filled(&ctx).await?;
    let driver = ctx.driver();
    for cursor in changed(&list_cursor(&driver, &adas()?).await?) {
        list_refuses(&driver, cursor.clone(), &format!("{cursor:?}")).await?;
    }
    for cursor in changed(&feed_cursor(&driver).await?) {
        feed_refuses(&driver, cursor.clone(), &format!("{cursor:?}")).await?;
    }
    Ok(())
}

async fn garbage_for_a_cursor_is_refused(ctx: Context) -> Check {
    filled(&ctx).await?;
    let long = "f".repeat(1_024);
    let texts = [
        "0",
        "1",
        "-1",
        "00",
        " ",
        "x",
        "null",
        "é",
        "👩",
        "' OR 1=1 --",
        "../..",
        "\u{1}",
        "%00",
        "0000000000000000",
        "ffffffffffffffffffffffffffffffff",
        &long,
    ];
    for text in texts {
        list_refuses(&ctx.driver(), text.parse()?, &format!("{text:?}")).await?;
        feed_refuses(&ctx.driver(), text.parse()?, &format!("{text:?}")).await?;
    }
    Ok(())
}
