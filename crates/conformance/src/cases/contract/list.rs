//! `list`: pages that neither repeat nor skip, whatever is written meanwhile.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use tokenkeep_core::{Anchor, PageRequest, Replacement, TokenFilter, TokenId, TokenRecord};

use crate::case::cases;
use crate::check::{Check, ensure, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{Pages, by, ids, is_active, listed, listed_in_pages};

cases! { Contract:
    list_of_nothing_is_empty [R9],
    list_gives_whole_records [R9],
    list_leaves_out_what_is_not_active [R1 R9],
    list_is_a_read [R9],
    pages_of_every_size_give_the_same_order [R9],
    pages_of_one_with_a_narrow_filter [R9],
    pages_of_a_tenant_with_many_users [R9],
    the_longest_page_is_taken [R9],
    pages_while_others_are_created [R9],
    pages_while_others_are_revoked [R9],
    pages_while_others_are_rotated [R9],
    pages_while_others_expire_and_are_flushed [R9],
    pages_while_all_are_replaced [R9],
    a_cursor_holds_when_its_token_is_gone [R9],
    a_cursor_at_the_end_holds [R9],
}

/// So many tokens of Ada's.
async fn some(ctx: &Context, count: usize) -> Check<Vec<TokenRecord>> {
    let records = (0..count)
        .map(|_| ctx.record("ada"))
        .collect::<Check<Vec<_>>>()?;
    for answer in ctx.driver().create_many(records.clone()).await? {
        answer?;
    }
    Ok(records)
}

fn adas() -> Check<TokenFilter> {
    by(Anchor::User, "ada")
}

async fn list_of_nothing_is_empty(ctx: Context) -> Check {
    let found = listed(&ctx.driver(), &adas()?).await?;
    same(&found, &BTreeSet::new(), "the listing of an empty store")?;
    ctx.stored("grace").await?;
    let found = listed(&ctx.driver(), &adas()?).await?;
    same(&found, &BTreeSet::new(), "the listing of a stranger")
}

async fn list_gives_whole_records(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(TICK),
        data: "new data".into(),
    };
    ctx.driver().replace(change.clone(), 1).await?;
    let wanted = TokenRecord {
        expires_at: change.expires_at,
        data: change.data,
        version: 2,
        ..record
    };
    is_active(&ctx.driver(), &wanted).await
}

async fn list_leaves_out_what_is_not_active(ctx: Context) -> Check {
    let driver = ctx.driver();
    let mut short = ctx.record("ada")?;
    short.expires_at = ctx.now().saturating_add(TICK);
    driver.create(short).await?;
    let deleted = ctx.stored("ada").await?;
    driver.delete(&deleted.id).await?;
    let rotated = ctx.stored("ada").await?;
    let successor = ctx.record("ada")?;
    driver.rotate(&rotated.id, successor.clone()).await?;
    let plain = ctx.stored("ada").await?;
    ctx.advance(TICK);
    let wanted = ids([&successor, &plain]);
    same(&listed(&driver, &adas()?).await?, &wanted, "the listing")
}

async fn list_is_a_read(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    for _ in 0..3 {
        is_active(&ctx.driver(), &record).await?;
    }
    Ok(())
}

async fn pages_of_every_size_give_the_same_order(ctx: Context) -> Check {
    let records = some(&ctx, 25).await?;
    let order = |found: Vec<TokenRecord>| found.iter().map(|r| r.id).collect::<Vec<TokenId>>();
    let wanted = order(listed_in_pages(&ctx.driver(), &adas()?, 1_000).await?);
    let set: BTreeSet<_> = wanted.iter().copied().collect();
    same(&set, &ids(&records), "what one page shows")?;
    for limit in [1, 2, 3, 7, 12, 24, 25, 26] {
        let found = order(listed_in_pages(&ctx.driver(), &adas()?, limit).await?);
        same(&found, &wanted, format!("the order in pages of {limit}"))?;
    }
    Ok(())
}

/// The pages are of what matches, not of what the anchor's index holds.
async fn pages_of_one_with_a_narrow_filter(ctx: Context) -> Check {
    let mut records = some(&ctx, 60).await?;
    let mut wanted = BTreeSet::new();
    for record in records.iter_mut().step_by(20) {
        let member = ctx.record("ada")?.with_audit_chain("family")?;
        ctx.driver().create(member.clone()).await?;
        wanted.insert(member.id);
        *record = member;
    }
    let filter = adas()?.with_audit_chain("family")?;
    for limit in [1, 2, 50] {
        let found = listed_in_pages(&ctx.driver(), &filter, limit).await?;
        same(
            &ids(&found),
            &wanted,
            format!("the family in pages of {limit}"),
        )?;
    }
    Ok(())
}

async fn pages_of_a_tenant_with_many_users(ctx: Context) -> Check {
    let mut wanted = BTreeSet::new();
    for number in 0..20 {
        let user = format!("user {}", number % 7);
        let tenant = if number % 3 == 0 { "looms" } else { "engines" };
        let record = ctx.record(&user)?.with_tenant(tenant)?;
        ctx.driver().create(record.clone()).await?;
        if tenant == "engines" {
            wanted.insert(record.id);
        }
    }
    let filter = by(Anchor::Tenant, "engines")?;
    for limit in [1, 4, 100] {
        let found = listed_in_pages(&ctx.driver(), &filter, limit).await?;
        same(
            &ids(&found),
            &wanted,
            format!("the tenant in pages of {limit}"),
        )?;
    }
    Ok(())
}

async fn the_longest_page_is_taken(ctx: Context) -> Check {
    let records = some(&ctx, 3).await?;
    let found = listed_in_pages(&ctx.driver(), &adas()?, PageRequest::MAX_LIMIT).await?;
    same(&ids(&found), &ids(&records), "the listing")
}

/// Ada's tokens in pages of three.
fn pages_of_three(ctx: &Context) -> Check<Pages> {
    Pages::new(ctx.driver(), adas()?, 3)
}

fn none_was_skipped(pages: &Pages, records: &[TokenRecord]) -> Check {
    for record in records {
        let seen = pages.seen().contains(&record.id);
        ensure(seen, format!("{} was skipped", record.id))?;
    }
    Ok(())
}

async fn pages_while_others_are_created(ctx: Context) -> Check {
    let records = some(&ctx, 20).await?;
    let mut pages = pages_of_three(&ctx)?;
    for _ in 0..5 {
        pages.next().await?;
        some(&ctx, 5).await?;
    }
    while pages.next().await?.is_some() {}
    none_was_skipped(&pages, &records)
}

/// Both what was seen and what is still to come is revoked meanwhile.
async fn pages_while_others_are_revoked(ctx: Context) -> Check {
    let stay = some(&ctx, 20).await?;
    let mut go = some(&ctx, 20).await?.into_iter();
    let mut pages = pages_of_three(&ctx)?;
    while pages.next().await?.is_some() {
        for record in go.by_ref().take(3) {
            ctx.driver().delete(&record.id).await?;
        }
    }
    none_was_skipped(&pages, &stay)
}

async fn pages_while_others_are_rotated(ctx: Context) -> Check {
    let stay = some(&ctx, 20).await?;
    let mut go = some(&ctx, 20).await?.into_iter();
    let mut pages = pages_of_three(&ctx)?;
    while pages.next().await?.is_some() {
        for record in go.by_ref().take(3) {
            let successor = ctx.record("ada")?;
            ctx.driver().rotate(&record.id, successor).await?;
        }
    }
    none_was_skipped(&pages, &stay)
}

async fn pages_while_others_expire_and_are_flushed(ctx: Context) -> Check {
    let stay = some(&ctx, 20).await?;
    for step in 1..=20 {
        let mut record = ctx.record("ada")?;
        record.expires_at = ctx.now().saturating_add(TICK * step);
        ctx.driver().create(record).await?;
    }
    let mut pages = pages_of_three(&ctx)?;
    while pages.next().await?.is_some() {
        ctx.advance(TICK * 2);
        ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    }
    none_was_skipped(&pages, &stay)
}

/// A replace moves a token in no listing, whichever way its expiry goes.
async fn pages_while_all_are_replaced(ctx: Context) -> Check {
    let records = some(&ctx, 20).await?;
    let mut pages = pages_of_three(&ctx)?;
    let mut version = 0;
    while pages.next().await?.is_some() {
        version += 1;
        for (number, record) in (1..).zip(&records) {
            let change = Replacement {
                id: record.id,
                expires_at: ctx
                    .now()
                    .saturating_add(LIFETIME * (number * version % 7 + 1)),
                data: format!("version {version}").into(),
            };
            ctx.driver().replace(change, u64::from(version)).await?;
        }
    }
    none_was_skipped(&pages, &records)
}

/// The last token of each page expires and is flushed before the next page is asked for.
async fn a_cursor_holds_when_its_token_is_gone(ctx: Context) -> Check {
    let records = some(&ctx, 12).await?;
    let mut pages = pages_of_three(&ctx)?;
    while let Some(items) = pages.next().await? {
        if let Some(last) = items.last() {
            let change = Replacement {
                id: last.id,
                expires_at: ctx.now(),
                data: last.data.clone(),
            };
            ctx.driver().replace(change, last.version).await?;
            ctx.driver().flush_expired(NonZeroU32::MAX).await?;
        }
    }
    none_was_skipped(&pages, &records)
}

/// After the last item there is nothing more, and a place to ask from again.
async fn a_cursor_at_the_end_holds(ctx: Context) -> Check {
    some(&ctx, 3).await?;
    let mut request = PageRequest::new(3)?;
    let first = ctx.driver().list(&adas()?, &request).await?;
    same(&first.items.len(), &3, "how many are on the page")?;
    let mut cursor = first.cursor;
    for _ in 0..3 {
        request = request.after(cursor);
        let page = ctx.driver().list(&adas()?, &request).await?;
        same(&page.items, &vec![], "the page after the last")?;
        ensure(page.cursor.is_some(), "the place at the end is lost")?;
        cursor = page.cursor;
    }
    Ok(())
}
