//! The warehouse port: loads, upserts and named questions.

use std::time::Duration;

use async_trait::async_trait;
use schemas::{ActorKind, ChangeSource, ClusterName, DeclarationId, Json, ReplicaField, SnapshotId, Table, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Objects, PortResult};

/// Rows of one snapshot of one table, as files to load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRows {
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// Revision of the rows; a higher one replaces a lower one, a lower one is ignored.
    pub revision: i64,
    /// Avro container files of the table's schema.
    pub parts: Vec<SnapshotPart>,
}

/// One file to load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPart {
    /// Key of the object.
    pub object: String,
    /// Rows it must hold; another number fails the whole load.
    pub rows: i64,
}

/// One load of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadJob {
    /// Deterministic id: the same job twice loads once.
    pub id: String,
    /// The table.
    pub table: Table,
    /// What it loads.
    pub snapshots: Vec<SnapshotRows>,
}

/// What a load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadOutcome {
    /// The rows are there now.
    Loaded(Loaded),
    /// They were there before.
    AlreadyLoaded,
}

/// Counts of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Rows written.
    pub rows: i64,
}

/// The limit in force for one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The declaration.
    pub declaration_id: DeclarationId,
    /// Namespace of the workload.
    pub namespace: String,
    /// Name of the Deployment.
    pub deployment_name: String,
    /// Cluster it was declared for; null for every cluster.
    pub cluster: Option<ClusterName>,
    /// The limit.
    pub max_replicas: i64,
    /// The limit of the declaration before, if there was one.
    pub previous_max_replicas: Option<i64>,
    /// The first declared limit.
    pub initial_max_replicas: i64,
    /// Since when it holds.
    pub declared_at: Timestamp,
    /// Who declared it.
    pub updated_by: String,
    /// Why.
    pub change_reason: Option<String>,
    /// API of the declaration.
    pub api_id: Option<String>,
    /// Team of the declaration.
    pub team_id: Option<String>,
    /// User who answers for it.
    pub user_id: Option<String>,
    /// Repository, path and commit.
    pub source: Option<Json>,
}

/// The newest change of one number of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecentChange {
    /// The event.
    pub event_id: String,
    /// When.
    pub occurred_at: Timestamp,
    /// Namespace.
    pub namespace: String,
    /// Deployment concerned.
    pub deployment_name: String,
    /// Kind changed.
    pub target_kind: String,
    /// Object changed.
    pub target_name: String,
    /// Number changed.
    pub field: ReplicaField,
    /// Value before.
    pub old_value: Option<i64>,
    /// Value after.
    pub new_value: Option<i64>,
    /// Who.
    pub actor: String,
    /// What kind of actor.
    pub actor_kind: ActorKind,
    /// Where it was seen.
    pub source: ChangeSource,
    /// Verb as logged.
    pub verb: String,
}

/// A question the warehouse can answer: one SQL file per dialect, same name, same answer.
/// Answers are rows of text-keyed JSON values; the typed ones have methods of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The rows of a view or table, ordered by all its columns; `limit` rows at most.
    Rows {
        /// Table or view.
        name: String,
        /// Most rows wanted.
        limit: u64,
    },
    /// Episodes: the newest transition of each, filtered.
    Episodes {
        /// Only those whose newest transition is not `resolved`.
        open_only: bool,
        /// Only of this cluster.
        cluster: Option<ClusterName>,
        /// Only those with a transition at or after this time.
        since: Option<Timestamp>,
    },
    /// Notifications about the transitions of one snapshot.
    SnapshotNotifications {
        /// The snapshot.
        snapshot_id: SnapshotId,
    },
    /// Per snapshot and table: rows in the ledger and rows in the table, for the conservation proof.
    Conservation {
        /// From this time on.
        from: Timestamp,
        /// Before this time.
        to: Timestamp,
    },
}

/// An answer: column names and rows of values in the same order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows: JSON null, number, string or bool per column; times as RFC 3339 text, JSON columns as
    /// JSON, bytes as base64.
    pub rows: Vec<Vec<serde_json::Value>>,
}

/// Tables, views and what stages need of them.
///
/// Promises:
/// - `prepare` creates missing tables and views and adds missing columns; it never drops or
///   narrows. It fails when the warehouse was written by a newer version.
/// - `load` is atomic and exactly-once in effect per (table, snapshot, revision): all parts of all
///   its snapshots or nothing; a snapshot already loaded at that or a higher revision is skipped, a
///   lower revision is replaced.
/// - `upsert` writes rows under the table's key: the same row twice is one row, in any order of
///   calls. The batch is atomic.
/// - Questions see every write that returned before they were asked.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Creates what is missing.
    async fn prepare(&self) -> PortResult<()>;

    /// How long complete snapshots of one table should be gathered into one load, where nobody says
    /// otherwise: zero, unless the warehouse bounds the number of loads. Decorators pass it on.
    fn load_interval(&self) -> Duration {
        Duration::ZERO
    }

    /// Loads complete snapshots of one table from files in the object store.
    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome>;

    /// Upserts rows, given as one Avro container file of the table's schema.
    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()>;

    /// Replaces the rejected rows of one part of a snapshot (`rejected_rows` has no key: the part
    /// is the unit). `rows` is an Avro container file.
    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()>;

    /// The limits in force at a time for the workloads of a cluster, retired ones left out; a
    /// declaration for the cluster itself wins over one for every cluster.
    async fn limits_as_of(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>>;

    /// The newest change at or before a time, for each Deployment, target and field of a cluster.
    async fn last_changes(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>>;

    /// Answers a named question.
    async fn ask(&self, question: &Question) -> PortResult<Answer>;

    /// Whether the warehouse answers at all: for readiness.
    async fn ping(&self) -> PortResult<()>;
}
