//! What the conformance suite cannot know of PostgreSQL: plans, migrations, TLS, codes of errors.

#![expect(clippy::unwrap_used, reason = "a test's failure")]

mod batches;
mod configuration;
mod faults;
mod flush;
mod holder;
#[path = "../servers/kill.rs"]
mod kill;
#[path = "../servers/lines.rs"]
mod lines;
mod migrations;
mod plan;
mod plans;
mod sessions;
mod slow_steps;
mod statements;
mod support;
mod tls;
