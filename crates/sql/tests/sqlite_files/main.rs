//! What may be in the way of a store: other programs, other files, other versions.
#![expect(clippy::unwrap_used, reason = "tests")]

mod busy;
mod damage;
mod files;
mod log;
mod replaced;
mod support;
