//! The notifier binary.
fn main() {}
