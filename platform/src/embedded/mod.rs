//! embedded.

pub mod warehouse;
