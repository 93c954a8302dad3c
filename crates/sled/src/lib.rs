#![doc = include_str!("../README.md")]
//!
//! # Damage
//!
//! sled recovers a log by leaving out what it cannot read, and overwrites it: it cannot tell damage
//! from the torn end that a killed process leaves, so a damaged store would lose tokens and
//! revocations in silence. A file of our own, `tokenkeep.mark`, notes after each flush how far the log
//! was acknowledged. Before sled opens a folder, it is read as sled would recover it, and only read.
//!
//! *Found*, with the file named: `conf`, the mark, the snapshot or `db` missing, cut short, replaced or
//! illegible; a changed byte in anything that the store is made of now, in the header of any segment
//! of the log, and in any message since the store was last opened up to the mark; a missing or
//! changed blob; a log that ends before the mark, by the loss of acknowledged writes or because
//! another store's was put there.
//!
//! *Not found, and harmless*: changes in what sled has replaced or freed, and past the mark, where nothing
//! was acknowledged. *Not found*: a copy of the whole folder from an earlier day; `db` and the mark
//! missing at once, which look like a new store; the loss of a snapshot, which sled makes anew from
//! the log; a segment that is wiped with zeros from its very beginning, if it was written since the
//! store was last opened and nothing else refers to it.
//!
//! A store is copied safely while no process has it open; a copy made while it is written to is
//! likely to be found damaged.

mod disk;
mod driver;
mod error;
mod failure;
mod folder;
mod group;
mod job;
mod mark;
mod namespace;
mod options;
mod scan;
mod slices;
mod store;
mod verify;
mod writer;

pub use driver::SledDriver;
pub use options::{SledDurability, SledOptions};
pub use store::{SledStore, WeakSledStore};
