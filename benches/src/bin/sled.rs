//! sled beside raw sled.
fn main() {}
