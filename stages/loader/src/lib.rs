//! The loader: rows and events into the warehouse.
//!
//! Consumes `row-batches` (and with them the rows, rejects and notes in the object store),
//! `replica-changes`, `limit-declarations`, `violations`, `notifications` and `dead-letters`. Emits
//! nothing: its effects are tables. It never judges what it loads.

mod barrier;
mod batcher;
mod config;
mod dead_letter;
mod ledger;
mod plan;
mod rejects;
mod snapshot_rows;
mod stage;

pub use config::Config;
pub use stage::stage;
