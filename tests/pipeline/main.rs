//! pipeline.
#[test]
fn placeholder() {}
