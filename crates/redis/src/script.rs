//! The scripts that servers run, each one atomic step in one hash slot.

use std::sync::LazyLock;

use redis::Script as Hashed;

/// A Lua script, and the hash by which a server knows it.
#[derive(Debug)]
pub(crate) struct Script {
    body: String,
    sha: String,
    /// Whether what it did has to survive what acknowledged writes survive.
    pub(crate) is_kept: bool,
}

impl Script {
    /// A script of these parts, which see each other's local names.
    fn new(kind: &str, parts: &[&str]) -> Self {
        let mut body = format!("#!lua{kind}\n");
        for part in parts {
            body.push_str(part);
        }
        let sha = Hashed::new(&body).get_hash().to_owned();
        Self {
            body,
            sha,
            is_kept: true,
        }
    }

    /// The same, where what comes back after a crash is done again.
    fn repeatable(self) -> Self {
        Self {
            is_kept: false,
            ..self
        }
    }

    /// The whole text.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// SHA-1 of the text, in hexadecimal digits.
    pub(crate) fn sha(&self) -> &str {
        &self.sha
    }
}

/// It changes nothing, so servers that refuse writes run it too.
const READS: &str = " flags=no-writes";
/// It may need a little memory to free more, or to revoke, so it runs on a server that is full.
const FREES: &str = " flags=allow-oom";
/// It stores.
const STORES: &str = "";

const BASE: &str = include_str!("scripts/part_base.lua");
const RECORD: &str = include_str!("scripts/part_record.lua");
const INDEX: &str = include_str!("scripts/part_index.lua");
const UNLINK: &str = include_str!("scripts/part_unlink.lua");
const STORE: &str = include_str!("scripts/part_store.lua");
const REVOKE: &str = include_str!("scripts/part_revoke.lua");
const FENCED: &str = include_str!("scripts/part_fence.lua");
const BULK: &str = include_str!("scripts/part_bulk.lua");
const FILTER: &str = include_str!("scripts/part_filter.lua");

/// Makes the store's constants.
pub(crate) static META: LazyLock<Script> =
    LazyLock::new(|| Script::new(STORES, &[include_str!("scripts/meta.lua")]));

/// Hands out places in the order of revocation, for stores of several shards.
pub(crate) static PLACES: LazyLock<Script> =
    LazyLock::new(|| Script::new(FREES, &[include_str!("scripts/places.lua")]));

/// Stores new tokens.
pub(crate) static CREATE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/create.lua");
    Script::new(STORES, &[BASE, RECORD, INDEX, UNLINK, STORE, FENCED, own])
});

/// Stores a new token whose id nobody has had.
pub(crate) static ADD: LazyLock<Script> =
    LazyLock::new(|| Script::new(STORES, &[include_str!("scripts/add.lua")]));

/// Takes a token away that nobody was given.
pub(crate) static UNDO: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/undo.lua");
    Script::new(FREES, &[BASE, RECORD, INDEX, UNLINK, own])
});

/// Changes a token's data and expiry.
pub(crate) static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/replace.lua");
    Script::new(STORES, &[BASE, RECORD, INDEX, own])
});

/// Revokes tokens by their ids.
pub(crate) static DELETE: LazyLock<Script> =
    LazyLock::new(|| Script::new(FREES, &[include_str!("scripts/delete.lua")]));

/// Revokes a token and stores its successor, where both lie in one shard.
pub(crate) static ROTATE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/rotate.lua");
    Script::new(
        STORES,
        &[BASE, RECORD, INDEX, UNLINK, STORE, REVOKE, FENCED, own],
    )
});

/// Revokes what matches in one stretch of an index.
pub(crate) static DELETE_PAGE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/delete_page.lua");
    bulk(own)
});

/// Revokes what matches of the successors that were stored behind a bulk revocation's back.
pub(crate) static DELETE_LATE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/delete_late.lua");
    bulk(own)
});

fn bulk(own: &str) -> Script {
    let parts = [BASE, RECORD, INDEX, REVOKE, FENCED, FILTER, BULK, own];
    Script::new(FREES, &parts)
}

/// Lets a bulk revocation's mark count on, or takes it away.
pub(crate) static FENCE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/fence.lua");
    Script::new(FREES, &[BASE, RECORD, INDEX, FENCED, own])
});

/// Gives what matches in one stretch of an index.
pub(crate) static LIST_PAGE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/list_page.lua");
    Script::new(READS, &[BASE, RECORD, FILTER, own])
});

/// Gives one stretch of the feed of revocations.
pub(crate) static REVOKED_PAGE: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/revoked_page.lua");
    Script::new(READS, &[BASE, RECORD, own])
});

/// Removes expired tokens.
pub(crate) static FLUSH: LazyLock<Script> = LazyLock::new(|| {
    let own = include_str!("scripts/flush.lua");
    Script::new(FREES, &[BASE, RECORD, INDEX, UNLINK, own]).repeatable()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_begins_with_its_kind_and_has_its_own_hash() {
        let all = [
            &META,
            &PLACES,
            &CREATE,
            &ADD,
            &UNDO,
            &REPLACE,
            &DELETE,
            &ROTATE,
            &DELETE_PAGE,
            &DELETE_LATE,
            &FENCE,
            &LIST_PAGE,
            &REVOKED_PAGE,
            &FLUSH,
        ];
        let mut hashes: Vec<_> = all.iter().map(|script| script.sha()).collect();
        assert!(all.iter().all(|script| script.body().starts_with("#!lua")));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), all.len());
    }
}
