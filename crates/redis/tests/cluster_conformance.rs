//! The conformance suite on a Redis Cluster of three masters and three replicas.

#[path = "servers/case.rs"]
mod case;
#[path = "servers/machine.rs"]
mod machine;

use std::process::ExitCode;

fn main() -> ExitCode {
    case::run("cluster")
}
