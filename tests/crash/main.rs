//! crash.
#[test]
fn placeholder() {}
