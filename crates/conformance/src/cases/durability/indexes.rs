//! An index never loses a token that a get still finds.

use std::num::NonZeroU32;

use tokenkeep_core::{Anchor, PageRequest, Replacement, TokenRecord};

use super::End;
use crate::case::cases;
use crate::check::{Check, Failure, same};
use crate::context::{Context, LIFETIME};
use crate::probe::{by, ids, is_active, listed, listed_in_pages};

cases! { Durability:
    every_index_is_whole_after_a_kill [R8 R15],
    every_index_is_whole_after_a_reopen [R8 R15],
    bulk_revocation_after_a_kill_misses_none [R8 R15],
    a_list_cursor_holds_over_a_kill [R9 R15],
    a_list_cursor_holds_over_a_reopen [R9 R15],
    a_second_life_survives_a_kill [R2 R13 R15],
}

/// Tokens of a few values at each anchor, some of them gone again. Gives those that are left.
async fn mixed(ctx: &Context) -> Check<Vec<TokenRecord>> {
    let mut left = Vec::new();
    for number in 0..60 {
        let record = ctx.stored_full(&format!("{}", number % 4)).await?;
        match number % 5 {
            0 => ctx.driver().delete(&record.id).await?,
            1 => {
                let successor = ctx.full_record(&format!("{}", number % 3))?;
                ctx.driver().rotate(&record.id, successor.clone()).await?;
                left.push(successor);
            }
            2 => {
                let change = Replacement {
                    id: record.id,
                    expires_at: record.expires_at.saturating_add(LIFETIME),
                    data: "changed".into(),
                };
                ctx.driver().replace(change.clone(), 1).await?;
                left.push(TokenRecord {
                    expires_at: change.expires_at,
                    data: change.data,
                    version: 2,
                    ..record
                });
            }
            _ => left.push(record),
        }
    }
    Ok(left)
}

async fn every_index_is_whole_after_a_kill(ctx: Context) -> Check {
    every_index_is_whole(ctx, End::Kill).await
}

async fn every_index_is_whole_after_a_reopen(ctx: Context) -> Check {
    every_index_is_whole(ctx, End::Reopen).await
}

async fn every_index_is_whole(mut ctx: Context, end: End) -> Check {
    let left = mixed(&ctx).await?;
    end.of(&mut ctx).await?;
    for record in &left {
        is_active(&ctx.driver(), record).await?;
    }
    for anchor in Anchor::ALL {
        for tag in 0..4 {
            let value = format!("{anchor:?}-{tag}").to_lowercase();
            let of_value = left
                .iter()
                .filter(|record| anchor.of(record).is_some_and(|text| text.as_str() == value));
            let found = listed(&ctx.driver(), &by(anchor, &value)?).await?;
            same(
                &found,
                &ids(of_value),
                format!("listed by {anchor:?} {value}"),
            )?;
        }
    }
    Ok(())
}

async fn bulk_revocation_after_a_kill_misses_none(mut ctx: Context) -> Check {
    let mut left = mixed(&ctx).await?;
    ctx.store.kill().await?;
    for (anchor, tag) in Anchor::ALL.into_iter().zip([0, 1, 2, 3, 0]) {
        let value = format!("{anchor:?}-{tag}").to_lowercase();
        let filter = by(anchor, &value)?;
        let (go, stay): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|record| filter.matches(record));
        let revoked = ctx.driver().delete_tokens(&filter).await?;
        let revoked = revoked.into_iter().collect();
        same(
            &ids(&go),
            &revoked,
            format!("revoked by {anchor:?} {value}"),
        )?;
        left = stay;
    }
    for record in &left {
        is_active(&ctx.driver(), record).await?;
    }
    Ok(())
}

async fn a_list_cursor_holds_over_a_kill(ctx: Context) -> Check {
    a_list_cursor_holds(ctx, End::Kill).await
}

async fn a_list_cursor_holds_over_a_reopen(ctx: Context) -> Check {
    a_list_cursor_holds(ctx, End::Reopen).await
}

async fn a_list_cursor_holds(mut ctx: Context, end: End) -> Check {
    for _ in 0..10 {
        ctx.stored("ada").await?;
    }
    let filter = by(Anchor::User, "ada")?;
    let wanted = listed_in_pages(&ctx.driver(), &filter, 100).await?;
    let mut found = Vec::new();
    let mut request = PageRequest::new(3)?;
    for _ in 0..100 {
        let page = ctx.driver().list(&filter, &request).await?;
        found.extend(page.items);
        if !page.more {
            return same(&found, &wanted, "the listing over its ends");
        }
        request = request.after(page.cursor);
        end.of(&mut ctx).await?;
    }
    Err(Failure::new("the listing does not end"))
}

/// The entries of an id's first life do not come back to harm its second.
async fn a_second_life_survives_a_kill(mut ctx: Context) -> Check {
    let first = ctx.stored_full("first").await?;
    ctx.driver().delete(&first.id).await?;
    ctx.advance(LIFETIME);
    let mut second = ctx.full_record("second")?;
    second.id = first.id;
    ctx.driver().create(second.clone()).await?;
    ctx.store.kill().await?;
    is_active(&ctx.driver(), &second).await?;
    let flushed = ctx.driver().flush_expired(NonZeroU32::MAX).await?;
    same(&flushed.removed, &0, "what the flush removed")?;
    is_active(&ctx.driver(), &second).await?;
    let found = listed(&ctx.driver(), &by(Anchor::User, "user-first")?).await?;
    same(&found, &ids([]), "listed by the first user")
}
