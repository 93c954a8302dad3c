//! What the conformance suite cannot know of MySQL, proved on MariaDB: plans, migrations, TLS, numbers
//! of errors, what a flush holds up.

#![expect(clippy::unwrap_used, reason = "a test's failure")]

mod configuration;
mod disk;
mod faults;
mod flush;
mod foreign;
mod holder;
#[path = "../servers/kill.rs"]
mod kill;
#[path = "../servers/lines.rs"]
mod lines;
mod lost;
mod migrations;
mod plans;
mod races;
mod sessions;
mod statements;
mod support;
mod text;
mod tls;
