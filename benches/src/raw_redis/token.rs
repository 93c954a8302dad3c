//! The keys of a token, and what is stored at them.

use crc16::{State, XMODEM};
use tokenkeep_core::{Anchor, Text, TokenId, TokenRecord};

const SLOTS: u32 = 16_384;

/// What the keys of one part of a store begin with.
#[derive(Debug)]
pub(super) struct Shard(String);

impl Shard {
    /// Parts whose hash slots lie evenly.
    pub(super) fn all(namespace: &str, count: u32) -> Box<[Self]> {
        let shard = |at: u32| {
            let is_there = |tag: &u32| {
                let slot = u32::from(State::<XMODEM>::calculate(tag.to_string().as_bytes()));
                slot % SLOTS * count / SLOTS == at
            };
            let tag = (0..).find(is_there).unwrap_or_default();
            Self(format!("{namespace}:{{{tag}}}:"))
        };
        (0..count).map(shard).collect()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.0
    }

    pub(super) fn token(&self, id: &TokenId) -> Vec<u8> {
        [self.0.as_bytes(), b"token:", id.as_bytes()].concat()
    }

    pub(super) fn expiry(&self) -> String {
        format!("{}expiry", self.0)
    }

    pub(super) fn indexes(&self, record: &TokenRecord) -> Vec<String> {
        let names = ["trust:", "user:", "consumer:", "tenant:", "domain:"];
        let named = Anchor::ALL.into_iter().zip(names);
        named
            .filter_map(|(anchor, name)| Some(format!("{}{name}{}", self.0, anchor.of(record)?)))
            .collect()
    }
}

/// A token: a letter, its expiry, its anchors and audit ids each behind its length, its data.
pub(super) fn value(record: &TokenRecord) -> Vec<u8> {
    let mut value = Vec::with_capacity(160 + record.data.len());
    value.push(b'a');
    value.extend_from_slice(&record.expires_at.as_micros().to_be_bytes());
    push_anchors(&mut value, record);
    for text in [&record.audit_id, &record.audit_chain_id] {
        push(&mut value, text);
    }
    value.extend_from_slice(&record.issued_at.as_micros().to_be_bytes());
    value.extend_from_slice(&record.version.to_be_bytes());
    value.extend_from_slice(&record.data);
    value
}

/// What stands for a token in the order of expiry: it names what is to be cleaned.
pub(super) fn expiry_entry(record: &TokenRecord) -> Vec<u8> {
    let mut entry = record.expires_at.as_micros().to_be_bytes().to_vec();
    entry.extend_from_slice(record.id.as_bytes());
    push_anchors(&mut entry, record);
    entry
}

fn push_anchors(out: &mut Vec<u8>, record: &TokenRecord) {
    for anchor in Anchor::ALL {
        push(out, anchor.of(record).map_or("", Text::as_str));
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    // A text is at most 255 bytes long.
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}
