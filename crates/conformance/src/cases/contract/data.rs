//! A record's data and instants: what comes back is what was given, to the last byte and
//! microsecond.

use tokenkeep_core::ErrorKind::InvalidInput;
use tokenkeep_core::{Anchor, Limits, Replacement, Rotation, Timestamp, TokenRecord};

use crate::case::cases;
use crate::check::{Check, ensure, fails, same};
use crate::context::{Context, LIFETIME, TICK};
use crate::probe::{by, feed_after, ids, is_absent, is_active, listed_in_pages};

cases! { Contract:
    empty_data_come_back [R5],
    binary_data_come_back [R5],
    data_that_look_like_markup_come_back [R5],
    data_at_the_limit_come_back [R5 R11 R12],
    data_at_the_limit_come_back_from_a_batch_and_a_page [R9 R14],
    data_beyond_the_limit_are_refused_by_create [R2],
    data_beyond_the_limit_are_refused_by_replace [R11],
    instants_come_back_to_the_microsecond [R5],
    the_earliest_and_latest_instants_come_back [R5],
    instants_of_every_age_come_back [R1 R5 R10 R12],
    a_token_may_never_expire [R1 R13],
    issued_at_is_only_a_value [R5 R8],
}

async fn comes_back(ctx: &Context, record: &TokenRecord) -> Check {
    ctx.driver().create(record.clone()).await?;
    is_active(&ctx.driver(), record).await
}

async fn empty_data_come_back(ctx: Context) -> Check {
    comes_back(&ctx, &ctx.record("ada")?.with_data("")).await?;
    let record = ctx.stored("ada").await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at,
        data: "".into(),
    };
    ctx.driver().replace(change, 1).await?;
    let found = ctx.driver().get(&record.id).await?;
    ensure(found.data.is_empty(), "replaced by nothing, data came back")
}

async fn binary_data_come_back(ctx: Context) -> Check {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    comes_back(&ctx, &ctx.record("ada")?.with_data(every_byte)).await?;
    for byte in [0x00, 0x0a, 0x1a, 0x20, 0x80, 0xff] {
        comes_back(&ctx, &ctx.record("ada")?.with_data(vec![byte; 3])).await?;
    }
    Ok(())
}

async fn data_that_look_like_markup_come_back(ctx: Context) -> Check {
    let texts = [
        r#"{"token":{"user":{"id":"ada"}},"n":1.0}"#,
        "'; DROP TABLE tokens; --",
        "\\x41 \\u0041 \\\\ %41 &amp; ${HOME} {0} {{",
        "line\r\nline\n\ttab ",
        "NULL",
        "\u{feff}bom \u{202e}txet",
    ];
    for text in texts {
        comes_back(&ctx, &ctx.record("ada")?.with_data(text)).await?;
    }
    Ok(())
}

/// So many bytes that repeat nowhere near each other.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

async fn data_at_the_limit_come_back(ctx: Context) -> Check {
    let most = Limits::default().max_data_len;
    let record = ctx.record("ada")?.with_data(noise(most));
    comes_back(&ctx, &record).await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at,
        data: noise(most).into_iter().rev().collect(),
    };
    ctx.driver().replace(change.clone(), 1).await?;
    let found = ctx.driver().get(&record.id).await?;
    ensure(found.data == change.data, "replaced data differ")?;
    let successor = ctx.record("ada")?.with_data(noise(most));
    ctx.driver().rotate(&record.id, successor.clone()).await?;
    is_active(&ctx.driver(), &successor).await
}

/// Megabytes in one call, and in one page.
async fn data_at_the_limit_come_back_from_a_batch_and_a_page(ctx: Context) -> Check {
    let data = noise(Limits::default().max_data_len);
    let mut batch = Vec::new();
    for _ in 0..40 {
        batch.push(ctx.record("ada")?.with_data(data.clone()));
    }
    for answer in ctx.driver().create_many(batch.clone()).await? {
        answer?;
    }
    let found = listed_in_pages(&ctx.driver(), &by(Anchor::User, "ada")?, 1_000).await?;
    same(&ids(&found), &ids(&batch), "what is listed")?;
    let whole = found.iter().all(|record| record.data == data);
    ensure(whole, "listed data differ")?;
    for record in &batch {
        let found = ctx.driver().get(&record.id).await?;
        ensure(found.data == data, "the data of one of a batch differ")?;
    }
    Ok(())
}

async fn data_beyond_the_limit_are_refused_by_create(ctx: Context) -> Check {
    let most = Limits::default().max_data_len;
    for length in [most + 1, most * 4] {
        let record = ctx.full_record("a")?.with_data(noise(length));
        let answer = ctx.driver().create(record.clone()).await;
        let error = fails(answer, InvalidInput, format!("create with {length} bytes"))?;
        ensure(
            error.to_string().contains("data"),
            "the error names no field",
        )?;
        is_absent(&ctx.driver(), &record).await?;
    }
    Ok(())
}

async fn data_beyond_the_limit_are_refused_by_replace(ctx: Context) -> Check {
    let record = ctx.stored_full("a").await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at,
        data: noise(Limits::default().max_data_len + 1).into(),
    };
    let answer = ctx.driver().replace(change, 1).await;
    let error = fails(answer, InvalidInput, "replace with too many bytes")?;
    ensure(
        error.to_string().contains("data"),
        "the error names no field",
    )?;
    is_active(&ctx.driver(), &record).await
}

async fn instants_come_back_to_the_microsecond(ctx: Context) -> Check {
    let base = ctx.now().saturating_add(LIFETIME);
    for micros in [0, 1, 9, 10, 99, 999, 1_000, 123_456, 500_000, 999_999] {
        let second = base.as_micros() - base.as_micros() % 1_000_000;
        let mut record = ctx.record("ada")?;
        record.expires_at = Timestamp::from_micros("expires_at", second + micros)?;
        record.issued_at = record.expires_at.saturating_sub(LIFETIME * 2);
        comes_back(&ctx, &record).await?;
    }
    Ok(())
}

async fn the_earliest_and_latest_instants_come_back(ctx: Context) -> Check {
    let mut record = ctx.record("ada")?;
    record.issued_at = Timestamp::MIN;
    record.expires_at = Timestamp::MAX;
    comes_back(&ctx, &record).await?;
    record = ctx.record("ada")?;
    record.issued_at = Timestamp::MAX;
    record.expires_at = Timestamp::MAX.saturating_sub(TICK);
    comes_back(&ctx, &record).await?;
    record = ctx.full_record("b")?;
    record.expires_at = Timestamp::MIN;
    ctx.driver().create(record.clone()).await?;
    is_absent(&ctx.driver(), &record).await
}

/// Where counters, calendars and clocks of other kinds end or jump: what is issued, revoked and
/// about to expire there is so to the microsecond.
async fn instants_of_every_age_come_back(ctx: Context) -> Check {
    let mut revoked = Vec::new();
    for at in [
        Timestamp::MIN,
        Timestamp::MIN.saturating_add(TICK),
        "1999-12-31T23:59:59.999999Z".parse()?,
        "2016-12-31T23:59:59.999999Z".parse()?,
        "2030-03-31T01:30:00.000001Z".parse()?,
        "2038-01-19T03:14:08.000001Z".parse()?,
        "2106-02-07T06:28:16.000001Z".parse()?,
        "2262-04-11T23:47:16.854776Z".parse()?,
        Timestamp::MAX.saturating_sub(TICK),
    ] {
        ctx.clock.set(at);
        let mut soon = ctx.record("ada")?;
        soon.expires_at = at.saturating_add(TICK);
        comes_back(&ctx, &soon).await?;
        ctx.advance(TICK);
        is_absent(&ctx.driver(), &soon).await?;
        ctx.clock.set(at);
        let mut record = ctx.record("ada")?;
        record.expires_at = Timestamp::MAX;
        comes_back(&ctx, &record).await?;
        ctx.driver().delete(&record.id).await?;
        let used = Rotation::AlreadyUsed {
            at,
            successor: None,
        };
        let answer = ctx.driver().rotate(&record.id, ctx.record("ada")?).await?;
        same(&answer, &used, "rotate of a revoked token")?;
        revoked.push((record.id, at, record.expires_at));
    }
    let (feed, _) = feed_after(&ctx.driver(), None, 1_000).await?;
    let feed: Vec<_> = feed
        .iter()
        .map(|item| (item.id, item.revoked_at, item.expires_at))
        .collect();
    same(&feed, &revoked, "the feed")
}

/// A lifetime of thousands of years overflows nothing on the way.
async fn a_token_may_never_expire(ctx: Context) -> Check {
    let mut record = ctx.full_record("a")?;
    record.expires_at = Timestamp::MAX;
    ctx.driver().create(record.clone()).await?;
    ctx.clock.set(Timestamp::MAX.saturating_sub(TICK));
    is_active(&ctx.driver(), &record).await?;
    let flushed = ctx
        .driver()
        .flush_expired(std::num::NonZeroU32::MAX)
        .await?;
    same(&flushed.removed, &0, "what a flush removed")?;
    is_active(&ctx.driver(), &record).await
}

/// A token issued in the future, or after its expiry, is no less active.
async fn issued_at_is_only_a_value(ctx: Context) -> Check {
    let mut record = ctx.full_record("a")?;
    record.issued_at = ctx.now().saturating_add(LIFETIME * 10);
    comes_back(&ctx, &record).await
}
