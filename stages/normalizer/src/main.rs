//! The normalizer binary.
fn main() {}
