//! The conformance suite on a Redis server that sentinels watch over.

#[path = "servers/case.rs"]
mod case;
#[path = "servers/machine.rs"]
mod machine;

use std::process::ExitCode;

fn main() -> ExitCode {
    case::run("sentinel")
}
