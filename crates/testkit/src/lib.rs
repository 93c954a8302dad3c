//! Starts real database servers for tests: private ones, from the programs on the machine.
//!
//! # Servers
//!
//! [`Server::postgres`], [`Server::mariadb`], [`Server::redis`] and [`Server::valkey`] each start a
//! server on a free port of 127.0.0.1, in a temporary folder, as durable as in production unless
//! asked otherwise, and with a session time zone that no test would choose. A server can be frozen,
//! killed and started again on the same data and the same port. It ends with its [`Server`], and
//! with the test process however that ends.
//!
//! # Sets of servers
//!
//! A [`SentinelSet`] is a Redis master with two replicas and three sentinels, a [`Cluster`] is
//! Redis masters that share the keys, each with a replica or without; Valkey does both too. Each
//! node is a [`Server`]: a test freezes, kills and restarts it, and then waits for what the others
//! make of it. A node that is cut off from the others is a frozen one: it keeps its connections and
//! answers none.
//!
//! [`shared`] has one of each kind for all tests of a process; a test takes a namespace on it. A
//! test that freezes, kills, stops or reconfigures a server takes one of its own.
//!
//! # Programs that are not installed
//!
//! Starting such a server is [`Error::Missing`]. [`require`] turns that into a failure where
//! `TOKENKEEP_REQUIRE_SERVERS=1` says that the programs have to be there, and else into the reason
//! to show: a test program of its own (`harness = false`) shows its tests as *ignored* with it. A
//! plain `#[test]` cannot be ignored once it runs: [`require_or_tell`] writes the reason past the
//! harness to the standard error, and the test returns.
//!
//! # Examples
//!
//! ```no_run
//! use tokenkeep_testkit::{Server, Settings};
//!
//! let server = Server::postgres(&Settings::new())?;
//! server.kill()?;
//! server.restart()?;
//! assert_eq!(server.sql("SELECT 1")?.trim(), "1");
//! # Ok::<(), tokenkeep_testkit::Error>(())
//! ```

mod account;
mod cluster;
mod engine;
mod error;
mod keeper;
mod machine;
mod ports;
mod processes;
mod programs;
mod replication;
mod resp;
mod sentinel_set;
mod server;
mod settings;
pub mod shared;
mod template;
mod tls;

pub use cluster::{Cluster, Step};
pub use error::{Error, REQUIRE_VARIABLE, Result, require, require_or_tell};
pub use sentinel_set::SentinelSet;
pub use server::Server;
pub use settings::Settings;
pub use tls::TlsFiles;
