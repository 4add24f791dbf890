//! The snapshotter binary.
fn main() {}
