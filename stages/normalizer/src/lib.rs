//! Stage normalizer.

pub mod audit;
