//! The network layer against real servers.

mod cluster;
mod durability;
mod encryption;
mod failures;
mod inspection;
mod moving;
mod refusals;
mod sentinel;
mod server;
mod support;
