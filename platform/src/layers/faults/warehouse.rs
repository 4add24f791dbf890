//! Faults over the warehouse port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::{ClusterName, SnapshotId, Table, Timestamp};

use super::Points;
use crate::ports::{Answer, Limit, LoadJob, LoadOutcome, Objects, PortResult, Question, RecentChange, Warehouse};

/// A warehouse whose calls fail.
pub struct FaultyWarehouse {
    inner: Arc<dyn Warehouse>,
    points: Points,
}

impl FaultyWarehouse {
    /// Puts a stage's faults around a warehouse.
    pub fn new(inner: Arc<dyn Warehouse>, points: Points) -> Self {
        Self { inner, points }
    }
}

#[async_trait]
impl Warehouse for FaultyWarehouse {
    async fn prepare(&self) -> PortResult<()> {
        self.inner.prepare().await
    }

    fn load_interval(&self) -> Duration {
        self.inner.load_interval()
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        self.points.around("warehouse.load", self.inner.load(job, objects)).await
    }

    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        self.points.around("warehouse.upsert", self.inner.upsert(table, rows)).await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        self.points.around("warehouse.put_rejects", self.inner.put_rejects(snapshot, kind, part, rows)).await
    }

    async fn limits_as_of(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        self.points.around("warehouse.limits_as_of", self.inner.limits_as_of(cluster, at)).await
    }

    async fn last_changes(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        self.points.around("warehouse.last_changes", self.inner.last_changes(cluster, at)).await
    }

    async fn ask(&self, question: &Question) -> PortResult<Answer> {
        self.points.around("warehouse.ask", self.inner.ask(question)).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}
