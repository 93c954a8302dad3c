//! Filters in every combination: `list` shows what `delete_tokens` then revokes.

use std::collections::BTreeSet;

use tokenkeep_core::ErrorKind::InvalidInput;
use tokenkeep_core::{Anchor, PageRequest, TokenFilter, TokenId, TokenRecord};

use crate::case::cases;
use crate::check::{Check, ensure, fails, same};
use crate::context::{Context, TICK};
use crate::probe::{at, both, by, ids, is_active, listed};

cases! { Contract:
    every_combination_of_anchors [R8 R9],
    every_combination_of_narrowings [R8 R9],
    issued_before_leaves_out_its_own_instant [R8 R9],
    an_audit_id_narrows_to_its_token [R8 R9],
    an_audit_chain_narrows_to_its_family [R8 R9],
    list_of_no_filter_is_refused [R8 R9],
    list_of_narrowing_alone_is_refused [R8 R9],
}

/// 31 filters, each on 32 tokens that differ from it in every combination of fields.
async fn every_combination_of_anchors(ctx: Context) -> Check {
    for wanted in 1..32u32 {
        let mut filter = TokenFilter::new();
        for anchor in chosen(wanted) {
            filter = both(&filter, &by(anchor, &value(wanted, true))?);
        }
        let mut records = Vec::new();
        for equal in 0..32u32 {
            let matches = equal & wanted == wanted;
            records.push((population_member(&ctx, wanted, equal)?, matches));
        }
        list_and_delete_agree(&ctx, &filter, records).await?;
    }
    Ok(())
}

/// A token that has the filter's value at the anchors in `equal`, and another or none elsewhere.
fn population_member(ctx: &Context, wanted: u32, equal: u32) -> Check<TokenRecord> {
    let mut record = ctx.record(&value(wanted, false))?;
    for anchor in chosen(equal) {
        record = at(record, anchor, &value(wanted, true))?;
    }
    // Half of the tokens lack what differs, the others have another value there.
    if equal.is_multiple_of(2) {
        for anchor in chosen(!equal) {
            record = at(record, anchor, &value(wanted, false))?;
        }
    }
    Ok(record)
}

fn chosen(bits: u32) -> impl Iterator<Item = Anchor> {
    (0u32..)
        .zip(Anchor::ALL)
        .filter(move |(bit, _)| bits & (1 << bit) != 0)
        .map(|(_, anchor)| anchor)
}

/// The values of one round of [`every_combination_of_anchors`], the same at each anchor.
fn value(round: u32, equal: bool) -> String {
    format!("{} {round}", if equal { "this" } else { "that" })
}

/// Stores the records, each with whether it matches; then list and delete_tokens find those that
/// do, and the rest stays.
async fn list_and_delete_agree(
    ctx: &Context,
    filter: &TokenFilter,
    records: Vec<(TokenRecord, bool)>,
) -> Check {
    let driver = ctx.driver();
    let batch = records.iter().map(|(record, _)| record.clone()).collect();
    for answer in driver.create_many(batch).await? {
        answer?;
    }
    let (matching, rest): (Vec<_>, Vec<_>) = records.into_iter().partition(|(_, matches)| *matches);
    ensure(!matching.is_empty(), "the case has nothing to find")?;
    let wanted = ids(matching.iter().map(|(record, _)| record));
    same(
        &listed(&driver, filter).await?,
        &wanted,
        format!("listed by {filter:?}"),
    )?;
    let revoked = driver.delete_tokens(filter).await?;
    same(
        &revoked.len(),
        &wanted.len(),
        format!("how many were revoked by {filter:?}"),
    )?;
    let revoked: BTreeSet<TokenId> = revoked.into_iter().collect();
    same(&revoked, &wanted, format!("revoked by {filter:?}"))?;
    for (record, _) in &rest {
        let found = driver.get(&record.id).await?;
        same(
            &found,
            record,
            format!("what {filter:?} had to leave alone"),
        )?;
    }
    same(
        &listed(&driver, filter).await?,
        &BTreeSet::new(),
        "the listing after",
    )
}

/// Seven ways to narrow, joined to an anchor, each on 16 tokens.
async fn every_combination_of_narrowings(ctx: Context) -> Check {
    for narrowing in 1..8u32 {
        let user = format!("user {narrowing}");
        let limit = ctx.now();
        let mut filter = by(Anchor::User, &user)?;
        if narrowing & 1 != 0 {
            filter = filter.with_audit_id("this audit id")?;
        }
        if narrowing & 2 != 0 {
            filter = filter.with_audit_chain("this family")?;
        }
        if narrowing & 4 != 0 {
            filter = filter.issued_before(limit);
        }
        let mut records = Vec::new();
        for equal in 0..16u32 {
            let equals = |bit: u32| equal & bit != 0;
            let mut record = ctx.record(if equals(8) { &user } else { "stranger" })?;
            record = record.with_audit_chain(if equals(2) { "this family" } else { "that" })?;
            if equals(1) {
                record.audit_id = tokenkeep_core::Text::new("audit_id", "this audit id")?;
            }
            if equals(4) {
                record.issued_at = limit.saturating_sub(TICK);
            }
            records.push((record, equal & (narrowing | 8) == narrowing | 8));
        }
        list_and_delete_agree(&ctx, &filter, records).await?;
    }
    Ok(())
}

async fn issued_before_leaves_out_its_own_instant(ctx: Context) -> Check {
    let instant = ctx.now();
    let mut earlier = ctx.record("ada")?;
    earlier.issued_at = instant.saturating_sub(TICK);
    let exactly = ctx.record("ada")?;
    let mut later = ctx.record("ada")?;
    later.issued_at = instant.saturating_add(TICK);
    for record in [&earlier, &exactly, &later] {
        ctx.driver().create(record.clone()).await?;
    }
    let filter = by(Anchor::User, "ada")?.issued_before(instant);
    same(
        &listed(&ctx.driver(), &filter).await?,
        &ids([&earlier]),
        "listed",
    )?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked, &vec![earlier.id], "revoked")?;
    is_active(&ctx.driver(), &exactly).await?;
    is_active(&ctx.driver(), &later).await
}

async fn an_audit_id_narrows_to_its_token(ctx: Context) -> Check {
    let one = ctx.stored("ada").await?;
    let two = ctx.stored("ada").await?;
    let filter = by(Anchor::User, "ada")?.with_audit_id(&one.audit_id)?;
    let stranger = by(Anchor::User, "grace")?.with_audit_id(&one.audit_id)?;
    let revoked = ctx.driver().delete_tokens(&stranger).await?;
    same(&revoked, &vec![], "revoked by another user's audit id")?;
    same(
        &listed(&ctx.driver(), &filter).await?,
        &ids([&one]),
        "listed",
    )?;
    let revoked = ctx.driver().delete_tokens(&filter).await?;
    same(&revoked, &vec![one.id], "revoked")?;
    is_active(&ctx.driver(), &two).await
}

async fn an_audit_chain_narrows_to_its_family(ctx: Context) -> Check {
    let first = ctx.stored("ada").await?;
    let second = ctx.record("ada")?.with_audit_chain(&first.audit_id)?;
    ctx.driver().create(second.clone()).await?;
    let stranger = ctx.stored("ada").await?;
    let filter = by(Anchor::User, "ada")?.with_audit_chain(&first.audit_id)?;
    same(
        &listed(&ctx.driver(), &filter).await?,
        &ids([&first, &second]),
        "listed",
    )?;
    let revoked: BTreeSet<_> = ctx
        .driver()
        .delete_tokens(&filter)
        .await?
        .into_iter()
        .collect();
    same(&revoked, &ids([&first, &second]), "revoked")?;
    is_active(&ctx.driver(), &stranger).await
}

async fn list_of_no_filter_is_refused(ctx: Context) -> Check {
    ctx.stored_full("a").await?;
    let answer = ctx
        .driver()
        .list(&TokenFilter::new(), &PageRequest::default())
        .await;
    fails(answer, InvalidInput, "list without a condition")?;
    Ok(())
}

async fn list_of_narrowing_alone_is_refused(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let audit = TokenFilter::new().with_audit_id(&record.audit_id)?;
    let chain = TokenFilter::new().with_audit_chain(&record.audit_chain_id)?;
    let instant = TokenFilter::new().issued_before(ctx.now().saturating_add(TICK));
    let all = both(&both(&audit, &chain), &instant);
    for filter in [audit, chain, instant, all] {
        let answer = ctx.driver().list(&filter, &PageRequest::default()).await;
        fails(answer, InvalidInput, format!("list by {filter:?}"))?;
    }
    Ok(())
}
