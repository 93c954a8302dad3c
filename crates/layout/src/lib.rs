#![doc = include_str!("../README.md")]

mod audit;
mod change;
mod key;
mod meta;
mod parse;
mod record;
mod revocation;
#[cfg(test)]
mod samples;

pub use audit::disagreements;
pub use change::{Change, create, remove, replace, revoke};
pub use key::{Key, KeyRange, expired, indexed, revoked};
pub use meta::{FORMAT, Generation, StoreHeader};
pub use record::{Header, Stored};
pub use revocation::{RevocationEntry, Sequence};
