//! The trait that a backend implements.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    Page, PageRequest, Replacement, Result, RevokedToken, Timestamp, TokenFilter, TokenId,
    TokenRecord,
};

/// What a token store promises: the contract that every backend keeps in the same way.
///
/// Rules are cited by number (R1 to R20); [`contract`](crate::contract) has their full text, and the package
/// `tokenkeep-conformance` a case for each. Used as `Arc<dyn TokenDriver>`; conveniences for
/// callers are in [`TokenDriverExt`](crate::TokenDriverExt).
///
/// # For implementors
///
/// These promises are yours to keep in every method:
///
/// - *Now* is what the clock says that the driver was opened with, and nothing else.
/// - A record whose `expires_at` is now or earlier is absent, whether or not it is still stored (R1).
/// - A condition and the write that hangs on it are one atomic step; never look first and write
///   later.
/// - A write that returned `Ok` is seen by every later call through any handle (R4), and with
///   durability `sync` survives a crash (R15). A revoked token never becomes active again (R7).
/// - Each call ends within the configured timeout, with an error if need be (R16).
/// - A future that is dropped leaves the store as if the call had wholly happened or not happened
///   (R17).
/// - Namespaces share nothing (R18). No secret is stored or written anywhere (R20): a driver is
///   never given one. Errors and the driver's `Debug` show no record's data either.
/// - What a read shows survives a crash, as what was acknowledged does (R15).
/// - Errors carry the right kind: [`Unavailable`](crate::ErrorKind::Unavailable) only where the call
///   was surely not applied, else [`Indeterminate`](crate::ErrorKind::Indeterminate).
#[async_trait]
pub trait TokenDriver: fmt::Debug + Send + Sync + 'static {
    /// Stores a new token (R2, R3).
    ///
    /// # Behavior
    ///
    /// - Of any number of concurrent calls for one id exactly one succeeds.
    /// - A revoked token that has not expired still holds its id; an expired one does not.
    /// - A record that has expired already is accepted and absent at once.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the id is taken, and nothing changes. `InvalidInput` where
    /// [`TokenRecord::check_new`] says so. `Unavailable` or `Indeterminate` if the store fails.
    ///
    /// # Cancel safety
    ///
    /// The token is stored wholly or not at all.
    async fn create(&self, record: TokenRecord) -> Result<()>;

    /// Gives an active token's record (R1, R5).
    ///
    /// # Errors
    ///
    /// `NotFound` if the token is absent, expired or revoked. `Corrupt` if what is stored makes no
    /// sense. `Unavailable` if the store fails.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    async fn get(&self, id: &TokenId) -> Result<TokenRecord>;

    /// Revokes an active token (R6, R7).
    ///
    /// # Behavior
    ///
    /// Of concurrent calls for one id exactly one succeeds.
    ///
    /// # Errors
    ///
    /// `NotFound` if the token is not active, so for a second call. `Unavailable` or `Indeterminate`
    /// if the store fails.
    ///
    /// # Cancel safety
    ///
    /// The token is revoked or not.
    async fn delete(&self, id: &TokenId) -> Result<()>;

    /// Revokes every active token that matches, and returns their ids in any order (R8).
    ///
    /// # Behavior
    ///
    /// - When it returns `Ok`, every matching token whose `create` returned before the call began is
    ///   revoked. Nothing matched is `Ok` and empty.
    /// - So is every matching token that meanwhile took its place by [`rotate`](Self::rotate), however
    ///   many rotations lie between: no family escapes by rotating beside the call.
    /// - Each id stands once in the answer: ids of tokens that this call revoked.
    /// - The cost follows the tokens at the first anchor given in the order of
    ///   [`Anchor::ALL`](crate::Anchor::ALL), not the size of the store.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a filter without an anchor. After `Unavailable` or `Indeterminate` a part
    /// may be revoked; repeating the call is safe, and does not return the ids of that part.
    ///
    /// # Cancel safety
    ///
    /// Each token is revoked or not; a part of them may be.
    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>>;

    /// Gives the active tokens that [`delete_tokens`](Self::delete_tokens) would revoke, in pages (R9).
    ///
    /// # Behavior
    ///
    /// - Following the cursors neither repeats nor skips a token that was active throughout,
    ///   whatever is written meanwhile. The order is the driver's own and stable.
    /// - A page may be shorter than asked for, even empty, while [`Page::more`] is true.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a filter without an anchor, and for a cursor that this listing of this
    /// store, with this filter, did not give. `Unavailable` if the store fails.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>>;

    /// Gives revoked, unexpired tokens in the order in which they were revoked (R10).
    ///
    /// # Behavior
    ///
    /// - A cursor resumes after what was seen, at any later time: a feed as well as a list.
    /// - Where an earlier revocation can become visible after a later one,
    ///   [`StoreInfo::revocation_lag`] says by how much, and a follower that reads again with that
    ///   much overlap misses nothing.
    /// - A page may be shorter than asked for, even empty, while [`Page::more`] is true.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a cursor that this method of this store did not give. `Unavailable` if the
    /// store fails.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>>;

    /// Changes data and expiry of an active token if its version is still the expected one; returns
    /// the new version (R11).
    ///
    /// # Behavior
    ///
    /// - The new version is the expected one plus 1. Of concurrent calls that expect the same
    ///   version exactly one succeeds.
    /// - A new expiry that has passed makes the token absent at once.
    ///
    /// # Errors
    ///
    /// `NotFound` if the token is not active: a late call never revives a revoked one (R7).
    /// `Conflict` if it has another version. `InvalidInput` for over-long data. `Unavailable` or
    /// `Indeterminate` if the store fails.
    ///
    /// # Cancel safety
    ///
    /// The change is made wholly or not at all.
    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64>;

    /// Revokes an active token and creates its successor (R12).
    ///
    /// # Behavior
    ///
    /// - Of many concurrent calls for one old token exactly one gets [`Rotation::Rotated`]; the
    ///   others, and every later one until the old token expires, get [`Rotation::AlreadyUsed`].
    /// - The old token is looked at first: its absence or use is answered whatever the new record.
    /// - After a crash at most a successor remains that nobody was given; bulk revocation finds it.
    ///
    /// # Errors
    ///
    /// `NotFound` if the old token is absent or expired. `AlreadyExists` if the successor's id is
    /// taken, and `InvalidInput` where [`TokenRecord::check_new`] says so or both ids are the same:
    /// the old token stays as it was. `Unavailable` or `Indeterminate` if the store fails.
    ///
    /// # Cancel safety
    ///
    /// As after a crash.
    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation>;

    /// Removes expired tokens from the store, at most `limit` of them (R13).
    ///
    /// # Behavior
    ///
    /// - Never touches an unexpired token, a revoked one included.
    /// - May run on many nodes at once and beside any load; blocks no `get`.
    /// - The cost follows the expired tokens it removes, not the size of the store.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Indeterminate` if the store fails; repeating the call is safe.
    ///
    /// # Cancel safety
    ///
    /// Each expired token is removed or not.
    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed>;

    /// Stores many new tokens, each as by [`create`](Self::create), with an answer for each in the
    /// order given (R14).
    ///
    /// # Behavior
    ///
    /// A record that fails does not keep the others from being stored. Of two records with one id in
    /// the batch the second gets `AlreadyExists`, unless the first has expired already.
    ///
    /// # Errors
    ///
    /// As a whole only if the store fails: `Unavailable` if no record was stored, `Indeterminate`
    /// if some may have been.
    ///
    /// # Cancel safety
    ///
    /// Each record is stored wholly or not at all.
    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>>;

    /// Proves in one cheap round trip that the store can be read, and says what it is (R19).
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store does not answer; `Corrupt` or `Config` if it is not usable.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    async fn check(&self) -> Result<StoreInfo>;
}

/// How a [`TokenDriver::rotate`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// This call revoked the old token and created the successor.
    Rotated,
    /// The old token had been revoked before: rotated, or revoked otherwise.
    AlreadyUsed {
        /// When.
        at: Timestamp,
        /// The token that took its place; none if it was revoked otherwise.
        successor: Option<TokenId>,
    },
}

/// What one [`TokenDriver::flush_expired`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// How many expired tokens it removed.
    pub removed: u64,
    /// Whether more were waiting when it ended.
    pub more: bool,
}

/// What an acknowledged write survives (R15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process and, for servers, of the server; the driver's docs say what of the
    /// machine.
    Sync,
    /// Not a crash: what the driver's docs name can be lost.
    Relaxed,
    /// Nothing: it is gone with the process.
    Volatile,
}

impl Durability {
    /// The name that the option `durability` of a store's URL has.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Relaxed => "relaxed",
            Self::Volatile => "volatile",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a store is, as [`TokenDriver::check`] tells it. Holds no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// The driver's name, such as `sled`.
    pub driver: &'static str,
    /// Where the store is: a folder or a server, without credentials.
    pub location: String,
    /// Which part of it (R18).
    pub namespace: String,
    /// The version of the engine or server.
    pub version: String,
    /// What an acknowledged write survives (R15).
    pub durability: Durability,
    /// How much later an earlier revocation can become visible than a later one (R10).
    pub revocation_lag: Duration,
    /// What an operator should mend, one sentence each.
    pub warnings: Vec<String>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<D: TokenDriver + ?Sized> TokenDriver for Arc<D> {
    async fn create(&self, record: TokenRecord) -> Result<()> {
        (**self).create(record).await
    }

    async fn get(&self, id: &TokenId) -> Result<TokenRecord> {
        (**self).get(id).await
    }

    async fn delete(&self, id: &TokenId) -> Result<()> {
        (**self).delete(id).await
    }

    async fn delete_tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        (**self).delete_tokens(filter).await
    }

    async fn list(&self, filter: &TokenFilter, page: &PageRequest) -> Result<Page<TokenRecord>> {
        (**self).list(filter, page).await
    }

    async fn list_revoked(&self, page: &PageRequest) -> Result<Page<RevokedToken>> {
        (**self).list_revoked(page).await
    }

    async fn replace(&self, change: Replacement, expected_version: u64) -> Result<u64> {
        (**self).replace(change, expected_version).await
    }

    async fn rotate(&self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        (**self).rotate(old, successor).await
    }

    async fn flush_expired(&self, limit: NonZeroU32) -> Result<Flushed> {
        (**self).flush_expired(limit).await
    }

    async fn create_many(&self, records: Vec<TokenRecord>) -> Result<Vec<Result<()>>> {
        (**self).create_many(records).await
    }

    async fn check(&self) -> Result<StoreInfo> {
        (**self).check().await
    }
}
