//! What the conformance suite cannot know of Redis: keys and their lifetimes, steps on a Cluster, lost
//! masters.

#![expect(clippy::unwrap_used, reason = "a test's failure")]

mod cut;
mod failover;
mod feed;
mod gathered;
mod indexes;
mod keys;
mod lifetimes;
mod marks;
mod opening;
mod overwritten;
mod reclaim;
mod support;
mod unreadable;
