//! The snapshotter: looks at a cluster and stores what it saw.
//!
//! Consumes `snapshot-requests`; emits raw parts and manifests as objects, and `raw-batches`. It
//! never interprets an object beyond redaction, name and count, and never asks for Secrets.

mod batches;
mod config;
mod listing;
mod part;
pub mod redaction;
mod request;
mod snapshot;
mod stage;
#[cfg(test)]
mod tests;

pub use config::{Config, ExcludedNamespaces};
pub use stage::stage;
