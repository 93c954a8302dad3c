//! The subcommands, one file each.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod conformance;
pub(crate) mod create;
pub(crate) mod demo;
pub(crate) mod flush;
pub(crate) mod list;
pub(crate) mod migrate;
pub(crate) mod revoke;
pub(crate) mod revoke_tokens;
pub(crate) mod revoked;
pub(crate) mod show;
pub(crate) mod validate;
