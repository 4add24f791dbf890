//! What an evaluator has: ports in memory that fail when they are told to.

use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use async_trait::async_trait;
use bytes::Bytes;
use platform::ports::{
    Answer, FixedClock, Limit, LoadJob, LoadOutcome, Objects, PortError, PortResult, Question, RecentChange, Warehouse,
};
use platform::runtime::Ports;
use platform::testkit::memory::{Affected, Effects, MemoryBroker, MemoryObjects};
use schemas::{ClusterName, Message as _, SnapshotId, Table, Timestamp, Topic, Violation};

use super::minute;

/// Objects, broker and warehouse.
#[derive(Default)]
pub(crate) struct Memory {
    objects: Arc<MemoryObjects>,
    broker: Arc<MemoryBroker>,
    /// Writes and publications.
    pub(crate) effects: Arc<Effects>,
    pub(crate) warehouse: Arc<Told>,
}

/// A warehouse that answers what it was told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) limits: Mutex<Vec<Limit>>,
    pub(crate) changes: Mutex<Vec<RecentChange>>,
    pub(crate) is_away: Mutex<bool>,
}

impl Memory {
    pub(crate) fn ports(&self) -> Ports {
        let (broker, objects) =
            (Affected::new(&self.broker, &self.effects), Affected::new(&self.objects, &self.effects));
        Ports {
            warehouse: Some(Arc::clone(&self.warehouse) as Arc<dyn Warehouse>),
            clock: Arc::new(FixedClock(minute(0))),
            ..Ports::new(Arc::new(broker), Arc::new(objects))
        }
    }

    /// Everything published, in order, repetitions too.
    pub(crate) fn published(&self) -> Vec<Violation> {
        let published = |(topic, message): &(Topic, platform::ports::Outgoing)| {
            assert_eq!(*topic, Topic::Violations, "the evaluator publishes violations only");
            let violation = Violation::decode(&message.payload, &message.attributes).unwrap();
            assert_eq!(message.ordering_key.as_deref(), Some(violation.episode_id.as_str()));
            violation
        };
        self.broker.messages().iter().map(published).collect()
    }

    pub(crate) fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.objects.put(key, bytes);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        self.objects.get(key)
    }
}

#[async_trait]
impl Warehouse for Told {
    async fn prepare(&self) -> PortResult<()> {
        Ok(())
    }

    async fn load(&self, _: &LoadJob, _: &dyn Objects) -> PortResult<LoadOutcome> {
        Err(PortError::never_will("load", anyhow!("the evaluator never writes to the warehouse")))
    }

    async fn upsert(&self, _table: Table, _rows: Vec<u8>) -> PortResult<()> {
        Err(PortError::never_will("upsert", anyhow!("the evaluator never writes to the warehouse")))
    }

    async fn put_rejects(&self, _snapshot: &SnapshotId, _kind: &str, _part: i64, _rows: Vec<u8>) -> PortResult<()> {
        Err(PortError::never_will("put rejects", anyhow!("the evaluator never writes to the warehouse")))
    }

    async fn limits_as_of(&self, _cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        if *self.is_away.lock().unwrap() {
            return Err(PortError::did_not_happen("limits", anyhow!("away")));
        }
        let limits = self.limits.lock().unwrap();
        Ok(limits.iter().filter(|limit| limit.declared_at <= at).cloned().collect())
    }

    async fn last_changes(&self, _cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        let changes = self.changes.lock().unwrap();
        Ok(changes.iter().filter(|change| change.occurred_at <= at).cloned().collect())
    }

    async fn ask(&self, _question: &Question) -> PortResult<Answer> {
        Ok(Answer::default())
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}
