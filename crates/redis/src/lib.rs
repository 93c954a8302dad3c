#![doc = include_str!("../README.md")]

mod driver;
mod keys;
mod network;
mod options;
mod record;
mod removal;
mod reply;
mod script;
mod shards;
mod store;

pub use driver::RedisDriver;
pub use options::{Address, Host, RedisOptions, SentinelServers, Servers};
pub use removal::drop_namespace;
pub use store::open;
pub use tokenkeep_backend::{Tls, TlsMode};
