//! The binary `tokenkeep`.
fn main() {}
