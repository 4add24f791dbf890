//! The words everything shares.
//!
//! Consumes nothing; emits the types of messages and rows, ids, topics, tables and object keys.
//! It never does I/O, never reads a clock, and knows no stage and no adapter.

mod codec;
mod compatibility;
pub mod ddl;
mod generated;
mod ids;
mod json;
pub mod keys;
pub mod manifest;
mod rows;
mod tables;
mod time;
mod topics;
mod words;

pub use codec::{
    AvroRecord, DecodeError, Encoded, Encoding, MAX_AVRO_ALLOCATION, Message, RecordSchema, SCHEMA_ATTRIBUTE,
    SCHEMA_FINGERPRINT_ATTRIBUTE, bound_avro_allocations,
};
pub use compatibility::{Incompatibility, check_compatibility};
pub use generated::messages::*;
pub use generated::rows::*;
pub use ids::{
    ClusterName, DeclarationId, EpisodeId, EventId, IdBuilder, InvalidClusterName, NotificationId, SnapshotId,
};
pub use json::{Json, Payload};
pub use rows::{Row, RowReader, RowWriter, RowsError};
pub use tables::{Column, ColumnType, Table};
pub use time::{Timestamp, TimestampError};
pub use topics::{Subscription, Topic};
pub use words::{
    ActorKind, AlertState, Cause, ChangeSource, DeclarationStatus, Purpose, ReplicaField, Rule, Severity, UnknownWord,
};

use serde::{Deserialize, Serialize};

/// One condition of a Kubernetes object, as its status gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The condition's type, such as Available or `ScalingLimited`.
    #[serde(rename = "type")]
    pub r#type: String,
    /// True, False or Unknown, as written.
    #[serde(default)]
    pub status: Option<String>,
    /// The machine-readable reason.
    #[serde(default)]
    pub reason: Option<String>,
    /// The human-readable message.
    #[serde(default)]
    pub message: Option<String>,
    /// When the condition last changed.
    #[serde(default, rename = "lastTransitionTime")]
    pub last_transition_time: Option<Timestamp>,
}
