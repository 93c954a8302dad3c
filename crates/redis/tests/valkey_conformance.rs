//! The conformance suite on a Valkey server.

#[path = "servers/case.rs"]
mod case;
#[path = "servers/machine.rs"]
mod machine;

use std::process::ExitCode;

fn main() -> ExitCode {
    case::run("valkey")
}
