//! The command line of podledger.
//!
//! Consumes arguments, files and the ports; emits tables, JSON and exit codes. It decides nothing
//! that a stage decides: every command is a question to a port, a message, or a stage's own function.

pub mod args;
pub mod commands;
pub mod data_dir;
pub mod exit;
pub mod output;
pub mod registration;
pub mod up;
