#![doc = include_str!("../README.md")]

mod options;

pub use options::{Address, Host, RedisOptions, SentinelServers, Servers};
pub use tokenkeep_backend::{Tls, TlsMode};
