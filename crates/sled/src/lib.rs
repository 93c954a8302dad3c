#![doc = include_str!("../README.md")]

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
