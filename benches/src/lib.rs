//! What all benchmarks share: the tokens, the closed loops, and how figures are told.
//!
//! Machines are noisy, so no figure here is a verdict by itself: ours and the raw engine take turns
//! within one run, and what counts is the ratio of their medians.

mod bulk;
mod compare;
mod figures;
mod loops;
mod machine;
mod raw_redis;
mod raw_sled;
mod raw_sql;
mod store;
mod tokens;

pub use bulk::{Beside, Bulk, bulk_calls, flush_beside_load, tell_beside, tell_bulk};
pub use compare::{Compared, tell_compared};
pub use figures::{Cell, median, ratio, table};
pub use loops::{Work, callers, threads};
pub use machine::{disk_bytes, resident_bytes};
pub use raw_redis::{IndexesLive, RawConnection, RawRedis};
pub use raw_sled::RawSled;
pub use raw_sql::{RawMysql, RawPostgres, RawResult, RawSql, RawSqlite};
pub use store::{Store, store};
pub use tokens::Tokens;
