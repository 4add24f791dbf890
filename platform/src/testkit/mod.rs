//! testkit.

pub mod warehouse;
