#![doc = include_str!("../README.md")]

mod call;
mod dialect;
mod failure;
mod options;
mod pool;
mod row;
mod schema;

pub use options::{Migrations, ServerOptions, SqlOptions, SqliteOptions, Tls, TlsMode};
