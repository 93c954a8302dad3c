//! Values for the tests of this crate.

use tokenkeep_core::{Text, Timestamp, TokenId, TokenRecord};

pub(crate) fn id(last: u8) -> TokenId {
    let mut bytes = [0xff; TokenId::LEN];
    bytes[TokenId::LEN - 1] = last;
    TokenId::from_bytes(bytes)
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros("at", micros).unwrap()
}

pub(crate) fn text(value: &str) -> Text {
    Text::new("text", value).unwrap()
}

/// Texts that a careless layout confuses.
pub(crate) fn odd_texts() -> Vec<Text> {
    let longest = "\u{10ffff}".repeat(63) + "\u{7ff}x";
    let mut texts: Vec<_> = [
        "a",
        "aa",
        "ada",
        "ada ",
        "Ada",
        "ad",
        "a:b",
        "a/b",
        "\u{1}",
        "\u{1}a",
        "\u{7f}",
        "\u{ff}",
        "\u{ffff}",
        "\u{10ffff}",
        "e\u{301}",
        "\u{e9}",
        "t",
        "u",
    ]
    .map(text)
    .into();
    texts.push(text(&longest[..255]));
    texts.push(text(&"a".repeat(255)));
    texts.push(text(&"a".repeat(254)));
    texts
}

pub(crate) fn plain() -> TokenRecord {
    TokenRecord::new(id(1), "audit", "ada", at(5), at(1_000)).unwrap()
}

/// A record with every field filled with odd text.
pub(crate) fn full() -> TokenRecord {
    let longest = "é".repeat(127) + "x";
    let record = TokenRecord::new(id(2), "au:dit", "\u{10ffff}", at(5), at(2_000)).unwrap();
    let record = record.with_audit_chain("chain/1").unwrap();
    let record = record.with_tenant(&longest).unwrap();
    let record = record.with_domain("d ").unwrap();
    let record = record.with_trust("\u{1}").unwrap();
    let record = record.with_consumer("t").unwrap();
    record.with_data(vec![0, 0xff, b't', 0])
}
