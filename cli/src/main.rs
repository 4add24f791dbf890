//! podledger.
fn main() {}
