#![doc = include_str!("../README.md")]

mod call;
mod dialect;
mod driver;
mod failure;
mod gather;
mod migrate;
#[cfg(feature = "mysql")]
pub mod mysql;
mod options;
mod pool;
#[cfg(feature = "postgres")]
pub mod postgres;
mod row;
mod schema;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod tls;

pub use driver::SqlDriver;
pub use migrate::{SchemaStatus, StepStatus};
pub use options::{Migrations, ServerOptions, SqlOptions, SqliteOptions, Tls, TlsMode};
