#![doc = include_str!("../README.md")]

mod keys;
mod network;
mod options;
mod record;
mod script;
mod shards;

pub use options::{Address, Host, RedisOptions, SentinelServers, Servers};
pub use tokenkeep_backend::{Tls, TlsMode};
