//! A snapshot's manifest: what was listed, in which parts, and whether it is complete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ClusterName, Purpose, SnapshotId, Timestamp};

/// One snapshot, as its manifest tells. Written once, when everything it names is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1.
    pub format: u32,
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// The cluster.
    pub cluster: ClusterName,
    /// The attempt its parts are of, from 1.
    pub attempt: i64,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who asked.
    pub requested_by: String,
    /// When it looked.
    pub observed_at: Timestamp,
    /// Why.
    pub purpose: Purpose,
    /// Every kind that was asked for, by plural name.
    pub kinds: BTreeMap<String, KindManifest>,
}

/// One kind of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindManifest {
    /// Whether every object of the kind is in the parts (or was excluded on purpose).
    pub complete: bool,
    /// Why not.
    pub gap: Option<String>,
    /// API version of the list.
    pub api_version: String,
    /// Resource version of the list.
    pub resource_version: String,
    /// Objects in all parts, unreadable ones included.
    pub object_count: i64,
    /// Objects left out because their namespace is excluded.
    pub excluded_count: i64,
    /// The parts. A kind that was listed has at least one, also when it has no objects; a kind
    /// that could not be listed has none.
    pub parts: Vec<PartManifest>,
}

/// One stored part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartManifest {
    /// Key of the object.
    pub object: String,
    /// Objects in it, unreadable ones included.
    pub object_count: i64,
    /// Its size in bytes.
    pub bytes: i64,
}

/// A line of a raw part that stands for an object nobody could read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnreadableLine {
    /// What is known of it.
    #[serde(rename = "podledger.unreadable")]
    pub unreadable: Unreadable,
}

/// Where an unreadable object was, and why it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreadable {
    /// A file and place, or a position in a list.
    pub place: String,
    /// Why, in one sentence.
    pub reason: String,
}
