//! Whole-system tests: the real binaries, started, fed, killed and compared.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A laboratory that breaks is a failed test.

pub mod binaries;
pub mod campaign;
pub mod data_dir;
pub mod place;
pub mod probe;
pub mod queues;
pub mod signature;
pub mod tables;
pub mod webhook;
