//! What the conformance suite cannot know of MySQL, proved on MariaDB: plans, migrations, TLS, numbers
//! of errors, what a flush holds up.

#![expect(clippy::unwrap_used, reason = "a test's failure")]

mod configuration;
mod disk;
mod faults;
mod flush;
mod holder;
#[path = "../servers/kill.rs"]
mod kill;
mod migrations;
mod plans;
mod sessions;
mod statements;
mod support;
mod text;
mod tls;
