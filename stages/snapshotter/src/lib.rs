//! The snapshotter: looks at a cluster and stores what it saw.
//!
//! Consumes `snapshot-requests`; emits raw parts and manifests as objects, and `raw-batches`. It
//! never interprets an object beyond redaction, name and count, and never asks for Secrets.

pub mod redaction;
