//! The loader: brings rows and events into the warehouse.
//!
//! Consumes `row-batches`, `replica-changes`, `limit-declarations`, `violations`, `notifications`
//! and `dead-letters`; emits nothing but rows, and the plans and claims that make loading
//! exactly-once in effect. It never judges what a row says.

mod by_slot;
mod config;
mod dead_letter;
mod events;
mod group;
mod ledger;
mod plan;
mod refused;
mod rejects;
mod slot;
mod stage;
#[cfg(test)]
mod tests;
mod together;
mod upserts;
mod whole_kind;

pub use config::Config;
pub use stage::stage;
