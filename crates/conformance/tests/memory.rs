//! The reference driver passes the suite.

use std::process::ExitCode;

use tokenkeep_conformance::{Level, Owned, Suite, from_fn};
use tokenkeep_core::MemoryDriver;

fn main() -> ExitCode {
    let backend = from_fn(|clock| async move {
        let driver = MemoryDriver::new(clock.clone());
        Ok(Owned::new(driver.clone())
            .with_second_handle(driver)
            .with_neighbour(MemoryDriver::new(clock)))
    });
    Suite::new("memory", backend)
        .decline_level(Level::Durability, "memory does not outlive its process")
        .decline_level(Level::Faults, "there is no server that could fail")
        .decline_case(
            "what_is_stored_holds_no_secret",
            "memory keeps no files that one could scan",
        )
        .decline_case(
            "a_neighbour_names_another_namespace",
            "memory stores have no names",
        )
        .main()
}
