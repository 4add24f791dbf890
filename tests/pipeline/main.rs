//! The whole pipeline on one data directory: five processes, one process, signals.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A helper that fails is a failed test.

mod example;
mod five_processes;
mod signals;
mod up;
