//! One snapshot of one cluster, ready to be judged.

use schemas::{ClusterName, SnapshotId, Timestamp};

use crate::cause::Changes;
use crate::gaps::Coverage;
use crate::state::Judged;
use crate::workload::Workload;

/// Everything that a verdict needs to see.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The cluster.
    pub cluster: ClusterName,
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// When it looked.
    pub observed_at: Timestamp,
    /// The workloads, with limits and autoscalers.
    pub workloads: Vec<Workload>,
    /// The newest changes of replica numbers.
    pub changes: Changes,
    /// What it shows and what not.
    pub coverage: Coverage,
}

impl Snapshot {
    /// Its place in the order of snapshots.
    pub fn judged(&self) -> Judged {
        Judged { observed_at: self.observed_at, snapshot_id: self.snapshot_id.clone() }
    }
}
