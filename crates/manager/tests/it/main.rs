//! What the package promises, through its public face.
//!
//! The modules say `cfg(test)` for clippy, which then lets their helpers unwrap.

#[cfg(test)]
mod config;
#[cfg(test)]
mod digest;
#[cfg(test)]
mod flush;
#[cfg(test)]
mod issue;
#[cfg(test)]
mod list_revoked;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod revoke;
#[cfg(test)]
mod rotate;
#[cfg(feature = "sled")]
#[cfg(test)]
mod sled;
#[cfg(feature = "sqlite")]
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod store_url;
#[cfg(test)]
mod support;
