//! Values for this crate's tests.
