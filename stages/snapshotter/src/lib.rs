//! The snapshotter: looks at a cluster or at a document database and stores what it saw.
//!
//! Consumes `snapshot-requests`; emits raw parts and manifests as objects, and `raw-batches`. It
//! never interprets an object beyond redaction, name and count, and never asks for Secrets.

mod batches;
mod config;
mod documents;
mod listing;
mod part;
pub mod redaction;
mod request;
mod snapshot;
mod sources;
mod stage;
#[cfg(test)]
mod tests;

pub use config::{Config, ExcludedNamespaces};
pub use redaction::FieldNames;
pub use sources::Collections;
pub use stage::stage;
