//! The reference driver passes the suite.

use std::process::ExitCode;

use tokenkeep_conformance::{Level, Owned, Suite, from_fn};
use tokenkeep_core::MemoryDriver;

fn main() -> ExitCode {
    let backend = from_fn(|clock| async move {
        let driver = MemoryDriver::new(clock.clone());
        Ok(Owned::new(driver.clone())
            .with_second_handle(driver.clone())
            .with_neighbour(MemoryDriver::new(clock))
            .with_contents(move || Ok(format!("{driver:?}").into_bytes())))
    });
    Suite::new("memory", backend)
        .decline_level(Level::Durability, "memory does not outlive its process")
        .decline_level(Level::Faults, "there is no server that could fail")
        .main()
}
