//! Turns raw objects into rows, and audit entries into replica changes.
//!
//! Consumes `raw-batches` (parts of complete snapshots, NDJSON) and emits `row-batches`; the rows
//! lie as Avro files, the rejected ones as NDJSON, in the objects store. Consumes `audit-logs` and
//! emits `replica-changes`. It never reads the warehouse or the cluster, and never judges.
//!
//! [`map::object`] is the whole of what is decided: an object, what its snapshot says, its rows.

pub mod audit;
mod autoscaler;
mod cluster_info;
mod config;
mod deployment;
mod document;
pub mod firestore;
mod labels;
pub mod map;
mod metadata;
mod node;
mod ownership;
pub mod part;
mod pod;
pub mod quantity;
mod resources;
mod stage;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use labels::LabelKeys;
pub use ownership::Owners;
pub use stage::stage;
