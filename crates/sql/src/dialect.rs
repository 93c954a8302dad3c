//! What differs between the databases: the statements, and how a connection is used for them.

use std::fmt;

use async_trait::async_trait;
use tokenkeep_backend::{Call, Outcome};
use tokenkeep_core::{
    Replacement, RevokedToken, Rotation, StoreId, Timestamp, TokenFilter, TokenId, TokenRecord,
};

/// One database's statements.
///
/// Each method takes one connection, runs one statement or one transaction with the condition in the
/// statement, and gives the connection back. Checks, gathering, retries, cursors and the words of
/// errors are the driver's and written once. *Now* is always given: no statement asks the server's
/// clock.
#[async_trait]
pub(crate) trait Dialect: fmt::Debug + Send + Sync + 'static {
    /// The driver's name in errors and reports: `postgres`, `mysql` or `sqlite`.
    fn name(&self) -> &'static str;

    /// The most records that one `insert` should be given, and ids that one `fetch` or `revoke`.
    fn max_batch(&self) -> usize;

    /// Reads what is stored under these distinct ids, in any order: revoked and expired ones too.
    async fn fetch(&self, call: &Call, ids: &[TokenId]) -> Outcome<Vec<TokenRecord>>;

    /// Stores these records, whose ids are distinct, each unless an unexpired one has its id; tells
    /// for each, in the order given, whether it was stored (R2, R3). All or none where it fails.
    async fn insert(
        &self,
        call: &Call,
        records: &[TokenRecord],
        now: Timestamp,
    ) -> Outcome<Vec<bool>>;

    /// Revokes those of these distinct ids that are active; gives the ids it revoked, in any order
    /// (R6). They get the next places in the feed.
    async fn revoke(&self, call: &Call, ids: &[TokenId], now: Timestamp) -> Outcome<Vec<TokenId>>;

    /// Looks at the next `limit` active records that match, in order of their ids, beyond `after`,
    /// and revokes them; gives those looked at and which of them this call revoked (R8).
    ///
    /// Fewer than `limit` looked at means that there are no more.
    async fn revoke_page(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(TokenId, bool)>>;

    /// Gives the last place that the feed has given.
    async fn last_place(&self, call: &Call) -> Outcome<Place>;

    /// Gives, for each revocation that is stored of the places after `after` and up to `last`, its
    /// successor if that is active and matches (R8). All these places were given before.
    async fn successors(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Place,
        last: Place,
        now: Timestamp,
    ) -> Outcome<Vec<Option<TokenId>>>;

    /// Revokes a token if it is active and matches. If it was rotated, and perhaps while this waited for
    /// it, tries the same with its successor, up to `links` of them; gives the one that it revoked (R8).
    async fn revoke_line(
        &self,
        call: &Call,
        filter: &TokenFilter,
        id: TokenId,
        links: usize,
        now: Timestamp,
    ) -> Outcome<Option<TokenId>>;

    /// Gives the next `limit` active records that match, in order of their ids, beyond `after` (R9).
    async fn list(
        &self,
        call: &Call,
        filter: &TokenFilter,
        after: Option<TokenId>,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<TokenRecord>>;

    /// Gives the next `limit` revoked, unexpired tokens beyond this place in the feed, in its order,
    /// each with its place (R10).
    async fn revoked(
        &self,
        call: &Call,
        after: Place,
        limit: usize,
        now: Timestamp,
    ) -> Outcome<Vec<(Place, RevokedToken)>>;

    /// Changes an active record of this version; tells whether there was one (R11).
    async fn replace(
        &self,
        call: &Call,
        change: &Replacement,
        expected_version: u64,
        now: Timestamp,
    ) -> Outcome<bool>;

    /// Revokes the old token and stores its successor, or does neither (R12).
    async fn rotate(
        &self,
        call: &Call,
        old: &TokenId,
        successor: &TokenRecord,
        now: Timestamp,
    ) -> Outcome<Turn>;

    /// Removes up to `limit` expired records in one committed step; gives how many (R13). Skips what
    /// another call is at work on.
    async fn flush(&self, call: &Call, limit: u32, now: Timestamp) -> Outcome<u64>;

    /// Tells whether an expired record is stored (R13).
    async fn has_expired(&self, call: &Call, now: Timestamp) -> Outcome<bool>;

    /// Reads the store's own row, and says what the server is (R19).
    async fn check(&self, call: &Call) -> Outcome<Condition>;
}

/// A place in the feed of revocations: the n-th revocation of the store, counted from 1.
///
/// The count is kept in the store's own row, which every revocation locks until its commit, so that
/// revocations become visible in the order of their places, without gaps that fill up later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) u64);

impl Place {
    /// As a column holds it; no place is beyond that.
    pub(crate) fn as_column(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

/// How a rotation ended in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This call rotated the token, or it had been used before.
    Taken(Rotation),
    /// The old token is absent or expired.
    NoSuchToken,
    /// The successor's id is taken; the old token is as it was.
    SuccessorExists,
}

/// What `check` found.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The store's identity, made when it was.
    pub(crate) store: StoreId,
    /// The server's or library's version.
    pub(crate) version: String,
    /// What an operator should mend, one sentence each.
    pub(crate) warnings: Vec<String>,
}
