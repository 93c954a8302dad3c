//! Secrets stay out: of what is stored, and of everything that may reach a log.

use std::fmt::Debug;
use std::num::NonZeroU32;

use tokenkeep_core::{
    Cursor, Error, Limits, PageRequest, Replacement, Result, TokenFilter, TokenId, TokenRecord,
};

use crate::case::cases;
use crate::check::{Check, Failure, chain, ensure};
use crate::context::{Context, LIFETIME};
use crate::digest::digest;

cases! { Contract:
    what_is_stored_holds_no_secret [R20],
    errors_hold_neither_secret_nor_data [R20],
    debug_of_a_driver_holds_neither_secret_nor_data [R20],
    check_holds_neither_secret_nor_data [R19 R20],
    cursors_hold_neither_secret_nor_data [R9 R10 R20],
}

/// A secret as a client would hold it; the drivers get its digest.
const SECRET: &str = "tk_Zq7-conformance-secret-Hx2vW9";

/// Data that a service would not like to read in a log.
const DATA: &str = "conformance-private-data-Jk4";

/// A user whose name is looked for where something has to be found.
const USER: &str = "conformance-user-Lm5";

fn secret_id() -> TokenId {
    digest(SECRET.as_bytes())
}

fn secret_record(ctx: &Context) -> Check<TokenRecord> {
    let record = ctx.record(USER)?.with_tenant("engines")?.with_data(DATA);
    Ok(TokenRecord {
        id: secret_id(),
        ..record
    })
}

/// The spellings in which a value leaks: as it is, as a list of numbers, in hexadecimal digits.
fn spellings(value: &str) -> [String; 3] {
    let numbers = format!("{:?}", value.as_bytes());
    let hex = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let inner = numbers.trim_matches(['[', ']']).to_owned();
    [value.to_owned(), inner, hex]
}

fn holds_none_of(text: &str, values: &[&str], what: &str) -> Check {
    // Debug may spread a list over many lines.
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for value in values {
        for spelling in spellings(value) {
            let clean = !joined.contains(&spelling) && !text.contains(&spelling);
            ensure(clean, format!("{what} holds {value:?} as {spelling:?}"))?;
        }
    }
    Ok(())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Calls every method with success, and leaves a token active, one revoked and one expired.
async fn every_method(ctx: &Context) -> Check {
    let driver = ctx.driver();
    let record = secret_record(ctx)?;
    driver.create(record.clone()).await?;
    driver.get(&record.id).await?;
    let change = Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: DATA.into(),
    };
    driver.replace(change, 1).await?;
    let other = ctx.record(USER)?.with_data(DATA);
    driver.create_many(vec![other.clone()]).await?;
    driver
        .rotate(&other.id, ctx.record(USER)?.with_data(DATA))
        .await?;
    let third = ctx.record(USER)?.with_data(DATA);
    driver.create(third.clone()).await?;
    driver.delete(&third.id).await?;
    let filter = TokenFilter::new().with_user(USER)?;
    driver.list(&filter, &PageRequest::default()).await?;
    driver.list_revoked(&PageRequest::default()).await?;
    driver.flush_expired(NonZeroU32::MIN).await?;
    Ok(())
}

/// The dump has the user's name, so it is a dump; it has no secret.
async fn what_is_stored_holds_no_secret(ctx: Context) -> Check {
    every_method(&ctx).await?;
    let contents = ctx.store.contents().await?;
    ensure(
        contains(&contents, USER.as_bytes()),
        "the hook `contents` does not show what is stored: a scan of it proves nothing",
    )?;
    for spelling in spellings(SECRET) {
        let found = contains(&contents, spelling.as_bytes());
        ensure(
            !found,
            format!("the store holds the secret as {spelling:?}"),
        )?;
    }
    Ok(())
}

/// One error of each kind that a caller can bring about, from every method that gives one.
async fn errors(ctx: &Context) -> Check<Vec<Error>> {
    let driver = ctx.driver();
    let record = secret_record(ctx)?;
    driver.create(record.clone()).await?;
    let unknown = ctx.new_id();
    let too_long = DATA.repeat(Limits::default().max_data_len / DATA.len() + 1);
    let long_record = ctx.record(USER)?.with_data(too_long.clone());
    let change = |id, data: &str| Replacement {
        id,
        expires_at: record.expires_at,
        data: data.to_owned().into(),
    };
    let first = PageRequest::default();
    let foreign = first.clone().after(Some("00".parse::<Cursor>()?));
    let filter = TokenFilter::new().with_user(USER)?;
    let mut second_version = ctx.record(USER)?.with_data(DATA);
    second_version.version = 2;

    let mut errors = Vec::new();
    let mut keep = |what, answer: Result<()>| match answer {
        Ok(()) => Err(Failure::new(format!("{what} should have failed"))),
        Err(error) => {
            errors.push(error);
            Ok(())
        }
    };
    keep("create of a taken id", driver.create(record.clone()).await)?;
    keep(
        "create with too much data",
        driver.create(long_record.clone()).await,
    )?;
    keep("create of version 2", driver.create(second_version).await)?;
    keep("get of an unknown id", driver.get(&unknown).await.map(drop))?;
    keep("delete of an unknown id", driver.delete(&unknown).await)?;
    let answer = driver.replace(change(record.id, DATA), 7).await;
    keep("replace of another version", answer.map(drop))?;
    let answer = driver.replace(change(record.id, &too_long), 1).await;
    keep("replace with too much data", answer.map(drop))?;
    let answer = driver.replace(change(unknown, DATA), 1).await;
    keep("replace of an unknown id", answer.map(drop))?;
    let answer = driver.rotate(&unknown, ctx.record(USER)?).await;
    keep("rotate of an unknown id", answer.map(drop))?;
    let answer = driver.rotate(&record.id, record.clone()).await;
    keep("rotate to the same id", answer.map(drop))?;
    let answer = driver.rotate(&record.id, long_record.clone()).await;
    keep("rotate to too much data", answer.map(drop))?;
    let answer = driver.delete_tokens(&TokenFilter::new()).await;
    keep("delete_tokens without an anchor", answer.map(drop))?;
    let answer = driver.list(&TokenFilter::new(), &first).await;
    keep("list without an anchor", answer.map(drop))?;
    let answer = driver.list(&filter, &foreign).await;
    keep("list after a foreign cursor", answer.map(drop))?;
    let answer = driver.list_revoked(&foreign).await;
    keep("list_revoked after a foreign cursor", answer.map(drop))?;
    for answer in driver.create_many(vec![record, long_record]).await? {
        keep("create_many of unfit records", answer)?;
    }
    Ok(errors)
}

async fn errors_hold_neither_secret_nor_data(ctx: Context) -> Check {
    for error in errors(&ctx).await? {
        for text in [chain(&error), format!("{error:?}"), format!("{error:#?}")] {
            holds_none_of(&text, &[SECRET, DATA], "the text of an error")?;
        }
    }
    Ok(())
}

fn debug_holds_none(value: &(impl Debug + ?Sized), what: &str) -> Check {
    holds_none_of(&format!("{value:?}"), &[SECRET, DATA], what)?;
    holds_none_of(&format!("{value:#?}"), &[SECRET, DATA], what)
}

async fn debug_of_a_driver_holds_neither_secret_nor_data(ctx: Context) -> Check {
    every_method(&ctx).await?;
    debug_holds_none(&*ctx.driver(), "Debug of the driver")
}

async fn check_holds_neither_secret_nor_data(ctx: Context) -> Check {
    every_method(&ctx).await?;
    debug_holds_none(&ctx.driver().check().await?, "what check says")
}

async fn cursors_hold_neither_secret_nor_data(ctx: Context) -> Check {
    every_method(&ctx).await?;
    let filter = TokenFilter::new().with_user(USER)?;
    let page = ctx.driver().list(&filter, &PageRequest::new(1)?).await?;
    debug_holds_none(&page.cursor, "a cursor of a listing")?;
    let page = ctx.driver().list_revoked(&PageRequest::new(1)?).await?;
    debug_holds_none(&page.cursor, "a cursor of the feed")
}
