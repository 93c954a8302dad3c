#![doc = include_str!("../README.md")]

mod dialect;
mod driver;
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

pub use driver::SqlDriver;
pub use migrate::{SchemaStatus, StepStatus};
pub use options::{Migrations, ServerOptions, SqlOptions, SqliteOptions};
pub use tokenkeep_backend::{Tls, TlsMode};
