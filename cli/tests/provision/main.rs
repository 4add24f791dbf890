//! `podledger provision`, end to end: the real program on the servers that stand in for Google's, and
//! on embedded places.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a failed unwrap is a failed claim.

mod breaker;
mod crash;
mod differences;
mod embedded;
mod errors;
mod project;
mod runs;
mod stages;
mod terraform;
mod warehouse;
