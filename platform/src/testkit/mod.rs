//! testkit.

pub mod cluster;
