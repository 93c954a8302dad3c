//! Odd identifiers: text is compared byte for byte, whatever stands in it.

use tokenkeep_core::{Anchor, Text, TokenFilter, TokenRecord};

use crate::case::cases;
use crate::check::{Check, same};
use crate::context::Context;
use crate::probe::{at, both, by, ids, is_absent, is_active, listed};

cases! { Contract:
    odd_text_comes_back_in_every_field [R5],
    odd_text_is_revoked_by_alone [R8 R9],
    case_counts [R8 R9],
    accents_count [R8 R9],
    trailing_and_leading_spaces_count [R8 R9],
    width_and_ligatures_count [R8 R9],
    invisible_letters_count [R8 R9],
    a_prefix_is_another_value [R8 R9],
    long_values_count_to_the_last_byte [R8 R9],
    numbers_are_text [R8 R9],
    wildcards_match_themselves_alone [R8 R9],
    separators_do_not_blur_two_fields [R8 R9],
    one_value_in_another_field_is_another_thing [R8 R9],
    one_value_in_every_field_of_a_token [R6 R8],
    audit_ids_and_chains_are_compared_by_byte [R8 R9],
}

/// Letters that key layouts, patterns, collations and encodings are likely to trip over.
const LETTERS: &str = " \t\n\r\u{1}\u{7f}\u{1b}:/\\|,;#?*%_[]{}()<>&=+@!~^'\"`$.-\u{80}\u{ff}éß\u{301}\
    İ日ع\u{200b}\u{202e}\u{feff}\u{fffd}\u{ffff}𝔘👩\u{10ffff}";

/// Words of the same kind.
const WORDS: &str = ".. ../.. :: \\0 a% a_c [a-z] .* ^a$ {tag} {0} $1 %s %00 '' 'OR'1'='1 e\u{301} \
    null NULL true 0 -1 1e3 \u{1b}[31m 👩\u{200d}👩\u{200d}👧";

/// Each letter alone and between others, each word, and the longest texts there are.
fn odd_texts() -> Vec<String> {
    let letters = LETTERS
        .chars()
        .flat_map(|letter| [letter.to_string(), format!("a{letter}b")]);
    let words = WORDS.split(' ').map(str::to_owned);
    let longest =
        ["x", "é", "\u{10ffff}"].map(|letter| letter.repeat(Text::MAX_LEN / letter.len()));
    letters.chain(words).chain(longest).collect()
}

/// A token with this text in every field that takes one.
fn with_text_everywhere(ctx: &Context, text: &str) -> Check<TokenRecord> {
    let mut record = ctx.record(text)?;
    record.audit_id = Text::new("audit_id", text)?;
    record = record.with_audit_chain(text)?;
    for anchor in Anchor::ALL {
        record = at(record, anchor, text)?;
    }
    Ok(record)
}

async fn odd_text_comes_back_in_every_field(ctx: Context) -> Check {
    for text in odd_texts() {
        let record = with_text_everywhere(&ctx, &text)?;
        ctx.driver().create(record.clone()).await?;
        is_active(&ctx.driver(), &record).await?;
    }
    Ok(())
}

/// With one token for each odd text at each anchor, each is found and revoked alone.
async fn odd_text_is_revoked_by_alone(ctx: Context) -> Check {
    for anchor in Anchor::ALL {
        let mut records = Vec::new();
        for text in odd_texts() {
            let record = at(ctx.record("shared")?, anchor, &text)?;
            ctx.driver().create(record.clone()).await?;
            records.push((text, record));
        }
        for (text, record) in records {
            let filter = by(anchor, &text)?;
            let found = listed(&ctx.driver(), &filter).await?;
            same(
                &found,
                &ids([&record]),
                format!("listed by {anchor:?} {text:?}"),
            )?;
            let revoked = ctx.driver().delete_tokens(&filter).await?;
            same(
                &revoked,
                &vec![record.id],
                format!("revoked by {anchor:?} {text:?}"),
            )?;
        }
    }
    Ok(())
}

/// Texts that must not be taken for one another, at any anchor, alone or joined to another one.
async fn are_apart(ctx: Context, texts: &[&str]) -> Check {
    for anchor in Anchor::ALL {
        let mut records = Vec::new();
        for text in texts {
            let record = at(with_text_everywhere(&ctx, "shared")?, anchor, text)?;
            ctx.driver().create(record.clone()).await?;
            records.push(record);
        }
        for (text, record) in texts.iter().zip(&records) {
            for other in Anchor::ALL {
                let mut filter = by(anchor, text)?;
                if other != anchor {
                    filter = both(&filter, &by(other, "shared")?);
                }
                let found = listed(&ctx.driver(), &filter).await?;
                same(&found, &ids([record]), format!("listed by {filter:?}"))?;
            }
        }
        for (text, record) in texts.iter().zip(&records).rev() {
            let revoked = ctx.driver().delete_tokens(&by(anchor, text)?).await?;
            let what = format!("revoked by {anchor:?} {text:?}");
            same(&revoked, &vec![record.id], what)?;
        }
    }
    Ok(())
}

async fn case_counts(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "ada", "Ada", "ADA", "adA", "É", "é", "ı", "i", "İ", "I", "ς", "σ",
        ],
    )
    .await
}

async fn accents_count(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "resume",
            "résumé",
            "re\u{301}sume\u{301}",
            "résume",
            "ö",
            "o",
            "oe",
        ],
    )
    .await
}

async fn trailing_and_leading_spaces_count(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "ada",
            "ada ",
            "ada  ",
            " ada",
            "ada\t",
            "ada\n",
            "ada\u{a0}",
            " ",
            "  ",
        ],
    )
    .await
}

async fn width_and_ligatures_count(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "K", "\u{212a}", "ﬁ", "fi", "Ａ", "A", "ß", "ss", "①", "1", "²", "2",
        ],
    )
    .await
}

async fn invisible_letters_count(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "ada",
            "a\u{200b}da",
            "\u{feff}ada",
            "ada\u{200d}",
            "a\u{ad}da",
            "\u{1}ada",
        ],
    )
    .await
}

async fn a_prefix_is_another_value(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "a",
            "aa",
            "aaa",
            "a\u{1}",
            "a/",
            "a:",
            "ab",
            "aab",
            "a\u{10ffff}",
        ],
    )
    .await
}

async fn long_values_count_to_the_last_byte(ctx: Context) -> Check {
    let stem = "x".repeat(Text::MAX_LEN - 1);
    let (one, two, shorter) = (format!("{stem}1"), format!("{stem}2"), &stem[1..]);
    are_apart(ctx, &[&one, &two, &stem, shorter]).await
}

async fn numbers_are_text(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "1", "01", "1.0", "+1", "1e0", " 1", "0x1", "true", "0", "-0", "00",
        ],
    )
    .await
}

async fn wildcards_match_themselves_alone(ctx: Context) -> Check {
    are_apart(
        ctx,
        &[
            "abc", "a%", "a_c", "a*", "a?c", "[a-c]bc", ".*", "%", "*", "_", "abc\\", "a\\%",
        ],
    )
    .await
}

/// Values that run together wherever two fields are joined by a separator.
async fn separators_do_not_blur_two_fields(ctx: Context) -> Check {
    for separator in [
        ":", "/", "|", ",", ";", "\u{1}", "\n", "\\", "\u{ff}", " ", ".", "-",
    ] {
        let (user, tenant) = (format!("a{separator}b"), format!("b{separator}c"));
        let one = ctx.record("a")?.with_tenant(&tenant)?;
        let two = ctx.record(&user)?.with_tenant("c")?;
        for record in [&one, &two] {
            ctx.driver().create(record.clone()).await?;
        }
        for (record, other) in [(&one, &two), (&two, &one)] {
            let filter = TokenFilter {
                user_id: Some(record.user_id.clone()),
                tenant_id: record.tenant_id.clone(),
                ..TokenFilter::new()
            };
            let what = format!("listed with separator {separator:?}");
            same(&listed(&ctx.driver(), &filter).await?, &ids([record]), what)?;
            let crossed = TokenFilter {
                tenant_id: other.tenant_id.clone(),
                ..filter
            };
            let what = format!("listed by crossed values with {separator:?}");
            same(&listed(&ctx.driver(), &crossed).await?, &ids([]), what)?;
        }
        for record in [&one, &two] {
            let revoked = ctx
                .driver()
                .delete_tokens(&by(Anchor::User, &record.user_id)?)
                .await?;
            same(
                &revoked,
                &vec![record.id],
                format!("revoked with {separator:?}"),
            )?;
        }
    }
    Ok(())
}

/// A user named like a tenant is not that tenant.
async fn one_value_in_another_field_is_another_thing(ctx: Context) -> Check {
    let mut records = Vec::new();
    for anchor in Anchor::ALL {
        let record = at(ctx.record("shared")?, anchor, "x")?;
        ctx.driver().create(record.clone()).await?;
        records.push((anchor, record));
    }
    for (anchor, record) in &records {
        let found = listed(&ctx.driver(), &by(*anchor, "x")?).await?;
        same(&found, &ids([record]), format!("listed by {anchor:?}"))?;
    }
    for (anchor, record) in records {
        let revoked = ctx.driver().delete_tokens(&by(anchor, "x")?).await?;
        same(&revoked, &vec![record.id], format!("revoked by {anchor:?}"))?;
    }
    Ok(())
}

async fn one_value_in_every_field_of_a_token(ctx: Context) -> Check {
    let one = with_text_everywhere(&ctx, "x")?;
    let two = with_text_everywhere(&ctx, "x")?;
    for record in [&one, &two] {
        ctx.driver().create(record.clone()).await?;
    }
    ctx.driver().delete(&one.id).await?;
    is_absent(&ctx.driver(), &one).await?;
    is_active(&ctx.driver(), &two).await?;
    let revoked = ctx
        .driver()
        .delete_tokens(&by(Anchor::Domain, "x")?)
        .await?;
    same(&revoked, &vec![two.id], "what was revoked")?;
    is_absent(&ctx.driver(), &two).await
}

async fn audit_ids_and_chains_are_compared_by_byte(ctx: Context) -> Check {
    let texts = ["audit", "Audit", "audit ", "áudit", "audit%", "a"];
    let mut records = Vec::new();
    for text in texts {
        let mut record = ctx.record("ada")?.with_audit_chain(text)?;
        record.audit_id = Text::new("audit_id", text)?;
        ctx.driver().create(record.clone()).await?;
        records.push(record);
    }
    for record in &records {
        let user = by(Anchor::User, "ada")?;
        for filter in [
            user.clone().with_audit_id(&record.audit_id)?,
            user.with_audit_chain(&record.audit_chain_id)?,
        ] {
            let found = listed(&ctx.driver(), &filter).await?;
            same(&found, &ids([record]), format!("listed by {filter:?}"))?;
        }
    }
    Ok(())
}
