//! `delete_tokens`: exactly what matches is revoked, by any anchor.

use std::collections::BTreeSet;

use tokenkeep_core::ErrorKind::{InvalidInput, NotFound};
use tokenkeep_core::{Anchor, TokenFilter, TokenId};

use crate::case::cases;
use crate::check::{Check, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{at, by, feed, feed_after, ids, is_absent, is_active, listed};

cases! { Contract:
    delete_tokens_by_user [R8],
    delete_tokens_by_tenant [R8],
    delete_tokens_by_domain [R8],
    delete_tokens_by_trust [R8],
    delete_tokens_by_consumer [R8],
    delete_tokens_of_a_user_in_a_tenant [R8],
    delete_tokens_of_a_trust_ignores_no_user [R8],
    delete_tokens_of_an_absent_field_finds_nothing [R8],
    delete_tokens_without_a_match_is_empty [R8],
    delete_tokens_twice_is_empty [R8],
    delete_tokens_answers_what_it_revoked_itself [R8],
    delete_tokens_of_no_filter_is_refused [R8],
    delete_tokens_of_narrowing_alone_is_refused [R8],
    delete_tokens_fills_the_feed [R8 R10],
    delete_tokens_leaves_the_user_free_for_new_ones [R8],
    delete_tokens_is_final [R7 R8],
    fifty_thousand_tokens_of_one_user [R8 R9 R10],
}

async fn delete_tokens_by_user(ctx: Context) -> Check {
    revokes_one_value(ctx, Anchor::User).await
}

async fn delete_tokens_by_tenant(ctx: Context) -> Check {
    revokes_one_value(ctx, Anchor::Tenant).await
}

async fn delete_tokens_by_domain(ctx: Context) -> Check {
    revokes_one_value(ctx, Anchor::Domain).await
}

async fn delete_tokens_by_trust(ctx: Context) -> Check {
    revokes_one_value(ctx, Anchor::Trust).await
}

async fn delete_tokens_by_consumer(ctx: Context) -> Check {
    revokes_one_value(ctx, Anchor::Consumer).await
}

/// Three tokens that share all other anchors are revoked, the token with another value is not.
async fn revokes_one_value(ctx: Context, anchor: Anchor) -> Check {
    let mut wanted = Vec::new();
    for _ in 0..3 {
        let record = at(ctx.full_record("shared")?, anchor, "this")?;
        ctx.driver().create(record.clone()).await?;
        wanted.push(record);
    }
    let other = at(ctx.full_record("shared")?, anchor, "that")?;
    ctx.driver().create(other.clone()).await?;

    let revoked = ctx.driver().delete_tokens(&by(anchor, "this")?).await?;
    same(&once_each(&revoked)?, &ids(&wanted), "what was revoked")?;
    for record in &wanted {
        is_absent(&ctx.driver(), record).await?;
    }
    is_active(&ctx.driver(), &other).await
}

fn once_each(revoked: &[TokenId]) -> Check<BTreeSet<TokenId>> {
    let set: BTreeSet<_> = revoked.iter().copied().collect();
    same(
        &revoked.len(),
        &set.len(),
        "ids in the answer, and different ones",
    )?;
    Ok(set)
}

/// Keystone's own case: two tokens of one user and one of another, all of one tenant.
async fn delete_tokens_of_a_user_in_a_tenant(ctx: Context) -> Check {
    let one = at(ctx.record("ada")?, Anchor::Tenant, "engines")?;
    let two = at(ctx.record("ada")?, Anchor::Tenant, "engines")?;
    let elsewhere = at(ctx.record("ada")?, Anchor::Tenant, "looms")?;
    let other = at(ctx.record("grace")?, Anchor::Tenant, "engines")?;
    for record in [&one, &two, &elsewhere, &other] {
        ctx.driver().create(record.clone()).await?;
    }
    let filter = TokenFilter::new()
        .with_user("ada")?
        .with_tenant("engines")?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(
        &once_each(&revoked)?,
        &ids([&one, &two]),
        "what was revoked",
    )?;
    same(
        &listed(&ctx.driver(), &filter).await?,
        &BTreeSet::new(),
        "the listing after",
    )?;
    is_active(&ctx.driver(), &elsewhere).await?;
    is_active(&ctx.driver(), &other).await
}

/// A driver joins all conditions by AND; that a trust outranks a user is the manager's business.
async fn delete_tokens_of_a_trust_ignores_no_user(ctx: Context) -> Check {
    let trustor = at(ctx.record("ada")?, Anchor::Trust, "trust")?;
    let trustee = at(ctx.record("grace")?, Anchor::Trust, "trust")?;
    for record in [&trustor, &trustee] {
        ctx.driver().create(record.clone()).await?;
    }
    let filter = TokenFilter::new().with_trust("trust")?.with_user("ada")?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked, &vec![trustor.id], "what was revoked")?;
    is_active(&ctx.driver(), &trustee).await
}

/// A token without a tenant, domain, trust or consumer matches no value of it.
async fn delete_tokens_of_an_absent_field_finds_nothing(ctx: Context) -> Check {
    let record = ctx.stored("ada").await?;
    for anchor in [
        Anchor::Tenant,
        Anchor::Domain,
        Anchor::Trust,
        Anchor::Consumer,
    ] {
        for value in [" ", "null", "NULL", "none", "None", "-", "\u{1}"] {
            let revoked = ctx.driver().delete_tokens(&by(anchor, value)?).await?;
            same(
                &revoked,
                &vec![],
                format!("revoked by {anchor:?} {value:?}"),
            )?;
        }
        let narrowed = TokenFilter {
            user_id: Some(record.user_id.clone()),
            ..by(anchor, "x")?
        };
        let revoked = ctx.driver().delete_tokens(&narrowed).await?;
        same(&revoked, &vec![], format!("revoked by user and {anchor:?}"))?;
    }
    is_active(&ctx.driver(), &record).await
}

async fn delete_tokens_without_a_match_is_empty(ctx: Context) -> Check {
    let filter = by(Anchor::User, "nobody")?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked, &vec![], "what was revoked in an empty store")?;
    let record = ctx.stored_full("a").await?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked, &vec![], "what was revoked of a stranger")?;
    is_active(&ctx.driver(), &record).await
}

async fn delete_tokens_twice_is_empty(ctx: Context) -> Check {
    ctx.stored("ada").await?;
    ctx.stored("ada").await?;
    let filter = by(Anchor::User, "ada")?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked.len(), &2, "how many the first call revoked")?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked, &vec![], "what the second call revoked")?;
    same(
        &feed(&ctx.driver()).await?.len(),
        &2,
        "the length of the feed",
    )
}

/// Tokens that were revoked, rotated or expired before are not in the answer.
async fn delete_tokens_answers_what_it_revoked_itself(ctx: Context) -> Check {
    let driver = ctx.driver();
    let mut expired = ctx.record("ada")?;
    expired.expires_at = ctx.now().saturating_add(TICK);
    driver.create(expired).await?;
    let deleted = ctx.stored("ada").await?;
    driver.delete(&deleted.id).await?;
    let rotated = ctx.stored("ada").await?;
    let successor = ctx.record("ada")?;
    driver.rotate(&rotated.id, successor.clone()).await?;
    let plain = ctx.stored("ada").await?;
    ctx.advance(TICK);

    let revoked = driver.delete_tokens(&by(Anchor::User, "ada")?).await?;
    same(
        &once_each(&revoked)?,
        &ids([&successor, &plain]),
        "what was revoked",
    )
}

async fn delete_tokens_of_no_filter_is_refused(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let answer = ctx.driver().delete_tokens(&TokenFilter::new()).await;
    fails(answer, InvalidInput, "delete_tokens without a condition")?;
    is_active(&ctx.driver(), &record).await
}

/// Audit id, audit chain and instant do not make a filter, alone or together.
async fn delete_tokens_of_narrowing_alone_is_refused(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let audit = TokenFilter::new().with_audit_id(&record.audit_id)?;
    let chain = TokenFilter::new().with_audit_chain(&record.audit_chain_id)?;
    let instant = ctx.now().saturating_add(LIFETIME);
    let all = audit
        .clone()
        .with_audit_chain(&record.audit_chain_id)?
        .issued_before(instant);
    for filter in [audit, chain, TokenFilter::new().issued_before(instant), all] {
        let answer = ctx.driver().delete_tokens(&filter).await;
        fails(answer, InvalidInput, format!("delete_tokens by {filter:?}"))?;
    }
    is_active(&ctx.driver(), &record).await
}

async fn delete_tokens_fills_the_feed(ctx: Context) -> Check {
    let one = ctx.stored("ada").await?;
    let two = ctx.stored("ada").await?;
    ctx.stored("grace").await?;
    ctx.advance(TICK);
    ctx.driver()
        .delete_tokens(&by(Anchor::User, "ada")?)
        .await?;
    let (items, _) = feed_after(&ctx.driver(), None, 10).await?;
    let found: BTreeSet<_> = items.iter().map(|item| item.id).collect();
    same(&found, &ids([&one, &two]), "the ids in the feed")?;
    for item in items {
        same(&item.revoked_at, &ctx.now(), "the instant of revocation")?;
    }
    Ok(())
}

async fn delete_tokens_leaves_the_user_free_for_new_ones(ctx: Context) -> Check {
    let filter = by(Anchor::User, "ada")?;
    for round in 0..3 {
        let record = ctx.stored("ada").await?;
        is_active(&ctx.driver(), &record).await?;
        let revoked = ctx.driver().delete_tokens(&filter).await?;
        same(
            &revoked,
            &vec![record.id],
            format!("revoked in round {round}"),
        )?;
    }
    Ok(())
}

async fn delete_tokens_is_final(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    ctx.driver()
        .delete_tokens(&by(Anchor::Trust, "trust-a")?)
        .await?;
    let answer = ctx.driver().delete(&record.id).await;
    fails(answer, NotFound, "delete after delete_tokens")?;
    for anchor in Anchor::ALL {
        let value = anchor.of(&record).map_or("", |value| value);
        let revoked = ctx.driver().delete_tokens(&by(anchor, value)?).await?;
        same(&revoked, &vec![], format!("revoked again by {anchor:?}"))?;
    }
    same(&feed(&ctx.driver()).await?, &vec![record.id], "the feed")
}

/// What one user holds is listed in pages, revoked in one call and shown by the feed, all of it.
async fn fifty_thousand_tokens_of_one_user(ctx: Context) -> Check {
    let driver = ctx.driver();
    let mut wanted = BTreeSet::new();
    for _ in 0..50 {
        let batch = (0..1_000)
            .map(|_| ctx.record("ada"))
            .collect::<Check<Vec<_>>>()?;
        wanted.extend(ids(&batch));
        for answer in driver.create_many(batch).await? {
            answer?;
        }
    }
    let other = ctx.stored("grace").await?;
    let filter = by(Anchor::User, "ada")?;
    same(
        &listed(&driver, &filter).await?.len(),
        &50_000,
        "how many are listed",
    )?;

    let revoked = once_each(&driver.delete_tokens(&filter).await?)?;
    same(
        &(revoked == wanted),
        &true,
        "every id was revoked, and no other",
    )?;
    same(
        &listed(&driver, &filter).await?.len(),
        &0,
        "how many are listed after",
    )?;
    let shown: BTreeSet<_> = feed(&driver).await?.into_iter().collect();
    same(
        &(shown == wanted),
        &true,
        "the feed shows every id, and no other",
    )?;
    is_active(&driver, &other).await
}
