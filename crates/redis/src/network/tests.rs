//! The network layer against real servers.

mod cluster;
mod durability;
mod encryption;
mod encryption_mismatch;
mod failures;
mod inspection;
mod moving;
mod named;
mod opening;
mod refusals;
mod replicas;
mod sentinel;
mod server;
mod support;
