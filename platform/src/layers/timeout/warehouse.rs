//! Time-outs over the warehouse port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::{ClusterName, SnapshotId, Table, Timestamp};

use super::{Timeouts, effect, reading};
use crate::ports::{Answer, Limit, LoadJob, LoadOutcome, Objects, PortResult, Question, RecentChange, Warehouse};

/// A warehouse whose calls end in time.
pub struct TimeoutWarehouse {
    inner: Arc<dyn Warehouse>,
    limits: Timeouts,
}

impl TimeoutWarehouse {
    /// Bounds a warehouse's calls.
    pub fn new(inner: Arc<dyn Warehouse>, limits: Timeouts) -> Self {
        Self { inner, limits }
    }
}

#[async_trait]
impl Warehouse for TimeoutWarehouse {
    async fn prepare(&self) -> PortResult<()> {
        effect(self.limits.transfer, || "prepare the warehouse".to_owned(), self.inner.prepare()).await
    }

    fn load_interval(&self) -> Duration {
        self.inner.load_interval()
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        let attempted = || format!("load job {} of {}", job.id, job.table);
        effect(self.limits.transfer, attempted, self.inner.load(job, objects)).await
    }

    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        effect(self.limits.transfer, || format!("upsert into {table}"), self.inner.upsert(table, rows)).await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        let call = self.inner.put_rejects(snapshot, kind, part, rows);
        effect(self.limits.transfer, || format!("put rejects of {snapshot}, {kind}, part {part}"), call).await
    }

    async fn limits_as_of(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        let call = self.inner.limits_as_of(cluster, at);
        reading(self.limits.call, || format!("limits of {cluster} as of {at}"), call).await
    }

    async fn last_changes(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        let call = self.inner.last_changes(cluster, at);
        reading(self.limits.call, || format!("last changes of {cluster} at {at}"), call).await
    }

    async fn ask(&self, question: &Question) -> PortResult<Answer> {
        reading(self.limits.call, || "ask the warehouse".to_owned(), self.inner.ask(question)).await
    }

    async fn ping(&self) -> PortResult<()> {
        reading(self.limits.call, || "ping the warehouse".to_owned(), self.inner.ping()).await
    }
}
