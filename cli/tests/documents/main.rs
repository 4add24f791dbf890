//! What the documents say is what the program does: the settings, the report and the command lines
//! of README are compared with the code, and every sample is read by the program that it is for.
//!
//! The generated parts are rewritten with
//! `PODLEDGER_WRITE_README=1 cargo test -p podledger-cli --test documents`.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a failed unwrap is a failed claim.

mod cloudrun;
mod commands;
mod examples;
mod generated;
mod markdown;
mod samples;
