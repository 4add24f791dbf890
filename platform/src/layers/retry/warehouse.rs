//! Retry over the warehouse port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::{ClusterName, SnapshotId, Table, Timestamp};

use super::{AfterDoubt, RetryPolicy, retry};
use crate::ports::{Answer, Limit, LoadJob, LoadOutcome, Objects, PortResult, Question, RecentChange, Warehouse};

/// A warehouse whose calls are retried: loads have ids, upserts have keys, the rest only reads.
pub struct RetryWarehouse {
    inner: Arc<dyn Warehouse>,
    policy: RetryPolicy,
}

impl RetryWarehouse {
    /// Retries over a warehouse.
    pub fn new(inner: Arc<dyn Warehouse>, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }
}

#[async_trait]
impl Warehouse for RetryWarehouse {
    async fn prepare(&self) -> PortResult<()> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.prepare()).await
    }

    fn load_interval(&self) -> Duration {
        self.inner.load_interval()
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.load(job, objects)).await
    }

    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.upsert(table, rows.clone())).await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.put_rejects(snapshot, kind, part, rows.clone())).await
    }

    async fn limits_as_of(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.limits_as_of(cluster, at)).await
    }

    async fn last_changes(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.last_changes(cluster, at)).await
    }

    async fn ask(&self, question: &Question) -> PortResult<Answer> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.ask(question)).await
    }

    /// Not retried: readiness asks for now.
    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}
