//! A world of stored snapshots, and loaders that are processes of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::ports::{FixedClock, Incoming};
use platform::runtime::{Env, HandleError, Ports, Stage};
use platform::testkit::memory::{Affected, Effects, MemoryBroker, MemoryObjects};
use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, Manifest, PartManifest};
use schemas::{
    ClusterName, GkePodUsage, Message, Purpose, RejectedRows, RowBatch, RowWriter, Subscription, Table, Timestamp,
    Topic,
};
use serde_json::Value;

use super::warehouse::{MemoryWarehouse, Tables};
use crate::Config;

/// What outlives a process.
#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) store: Arc<MemoryObjects>,
    pub(super) rows: Arc<MemoryWarehouse>,
}

/// A loader.
pub(super) struct Process(Stage);

impl Process {
    /// A loader over these ports, with these settings.
    pub(super) fn with(ports: &Ports, settings: &[(&str, &str)]) -> Self {
        let config: Config = Env::from_pairs(settings.iter().copied()).read().unwrap();
        Self(crate::stage(&config, ports).unwrap())
    }

    pub(super) async fn handle<M: Message>(&self, message: &M) -> Result<(), HandleError> {
        self.handle_published(message, at()).await
    }

    pub(super) async fn handle_published<M: Message>(
        &self,
        message: &M,
        published_at: Timestamp,
    ) -> Result<(), HandleError> {
        let encoded = message.encode().unwrap();
        let message = Incoming { published_at, ..incoming("m", encoded.bytes, encoded.attributes) };
        self.deliver(M::TOPIC, &message).await
    }

    pub(super) async fn deliver(&self, topic: Topic, message: &Incoming) -> Result<(), HandleError> {
        let subscription = Subscription::new(topic, "loader");
        let consumer = self.0.consumers.iter().find(|consumer| consumer.subscription == subscription).unwrap();
        consumer.handle.handle_incoming(message).await
    }
}

pub(super) fn incoming(message_id: &str, payload: Vec<u8>, attributes: BTreeMap<String, String>) -> Incoming {
    Incoming {
        message_id: message_id.to_owned(),
        payload,
        attributes,
        ordering_key: None,
        published_at: at(),
        delivery_attempt: 1,
    }
}

pub(super) fn at() -> Timestamp {
    Timestamp::parse("2026-10-01T12:00:00Z").unwrap()
}

impl World {
    pub(super) fn process(&self) -> Process {
        self.process_that(&Effects::sound(), "0")
    }

    pub(super) fn process_that(&self, crash: &Arc<Effects>, load_interval: &str) -> Process {
        self.process_at(at(), crash, load_interval)
    }

    /// A process whose clock stands still at that time.
    pub(super) fn process_at(&self, now: Timestamp, crash: &Arc<Effects>, load_interval: &str) -> Process {
        let ports = Ports {
            warehouse: Some(Arc::new(Affected::new(&self.rows, crash))),
            clock: Arc::new(FixedClock(now)),
            ..Ports::new(Arc::new(MemoryBroker::default()), Arc::new(Affected::new(&self.store, crash)))
        };
        Process::with(&ports, &[("PODLEDGER_LOAD_INTERVAL", load_interval), ("PODLEDGER_EVENT_WAIT", "0")])
    }

    pub(super) fn tables(&self) -> Tables {
        self.rows.tables.lock().unwrap().clone()
    }

    pub(super) fn ledger(&self, stage: &str) -> Vec<Value> {
        let tables = self.tables();
        let rows = tables.upserted.get(&Table::PipelineLedger).into_iter().flat_map(|rows| rows.values());
        rows.filter(|row| row["stage"] == stage).cloned().collect()
    }

    pub(super) fn put(&self, key: &str, body: impl Into<bytes::Bytes>) {
        self.store.put(key, body);
    }
}

/// A snapshot with one kind of parts, as snapshotter and normalizer store it.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) keys: SnapshotKeys,
    pub(super) batches: Vec<RowBatch>,
}

/// One part: rows and rejects.
pub(super) type Part = (i64, i64);

impl Snapshot {
    /// Stores a snapshot whose kind `pods` has these parts, and whose `nodes` could not be listed.
    pub(super) fn stored(world: &World, id: &str, parts: &[Part]) -> Self {
        Self::stored_as(world, id, parts, 0, Some(Table::GkePodUsage), None)
    }

    pub(super) fn stored_as(
        world: &World,
        id: &str,
        parts: &[Part],
        revision: i64,
        table: Option<Table>,
        gap: Option<&str>,
    ) -> Self {
        let keys = SnapshotKeys::new(ClusterName::from("prod"), at(), id.into());
        let kind = |parts: Vec<PartManifest>, gap: Option<&str>| KindManifest {
            complete: gap.is_none(),
            gap: gap.map(str::to_owned),
            api_version: "v1".to_owned(),
            resource_version: "1".to_owned(),
            object_count: parts.iter().map(|part| part.object_count).sum(),
            excluded_count: 0,
            parts,
        };
        let raw = (0..).zip(parts).map(|(part, (rows, rejects))| PartManifest {
            object: keys.raw_part(1, "pods", part),
            object_count: rows + rejects,
            bytes: 1,
        });
        let pods = kind(raw.collect(), gap);
        let nodes = kind(Vec::new(), Some("may not list"));
        let manifest = Manifest {
            format: 1,
            snapshot_id: id.into(),
            cluster: ClusterName::from("prod"),
            attempt: 1,
            requested_at: at(),
            requested_by: "a test".to_owned(),
            observed_at: at(),
            purpose: Purpose::Scheduled,
            kinds: [("pods".to_owned(), pods), ("nodes".to_owned(), nodes)].into(),
        };
        world.put(&keys.manifest(), serde_json::to_vec(&manifest).unwrap());
        let batches = (0..).zip(parts).map(|(part, (row_count, reject_count))| RowBatch {
            snapshot_id: id.into(),
            cluster: ClusterName::from("prod"),
            kind: "pods".to_owned(),
            table: table.map(|table| table.name().to_owned()).unwrap_or_default(),
            part,
            parts: parts.len() as i64,
            object: table.map(|table| keys.rows_part(revision, table, part)).unwrap_or_default(),
            row_count: *row_count,
            object_count: *row_count,
            reject_object: if *reject_count > 0 { keys.rejects_part(revision, "pods", part) } else { String::new() },
            reject_count: *reject_count,
            observed_at: at(),
            manifest: keys.manifest(),
            purpose: Purpose::Scheduled,
            revision,
        });
        Self { batches: batches.collect(), keys }
    }

    /// Normalizes a part, note included.
    pub(super) fn normalize(&self, world: &World, part: usize) -> RowBatch {
        let batch = &self.batches[part];
        if !batch.object.is_empty() {
            let mut writer = RowWriter::<GkePodUsage>::new().unwrap();
            for row in 0..batch.row_count {
                writer.push(&usage(batch, row)).unwrap();
            }
            world.put(&batch.object, writer.finish().unwrap());
        }
        if batch.reject_count > 0 {
            let lines = (0..batch.reject_count).map(|line| serde_json::to_string(&reject(batch, line)).unwrap() + "\n");
            world.put(&batch.reject_object, lines.collect::<String>());
        }
        let note = self.keys.done_part(batch.revision, "pods", batch.part);
        world.put(&note, serde_json::to_vec(batch).unwrap());
        batch.clone()
    }

    /// Normalizes every part.
    pub(super) fn normalized(&self, world: &World) -> Vec<RowBatch> {
        (0..self.batches.len()).map(|part| self.normalize(world, part)).collect()
    }
}

fn usage(batch: &RowBatch, row: i64) -> GkePodUsage {
    GkePodUsage {
        cluster: batch.cluster.clone(),
        snapshot_id: batch.snapshot_id.clone(),
        observed_at: at(),
        namespace: "team".to_owned(),
        pod: format!("pod-{}-{row}-r{}", batch.part, batch.revision),
        container: "api".to_owned(),
        cpu_millicores: Some(row),
        memory_bytes: None,
        window_seconds: None,
    }
}

fn reject(batch: &RowBatch, line: i64) -> RejectedRows {
    RejectedRows {
        cluster: batch.cluster.clone(),
        snapshot_id: batch.snapshot_id.clone(),
        kind: batch.kind.clone(),
        table: None,
        object: None,
        line: Some(line),
        reason: "a \"quantity\"\nthat does not parse".to_owned(),
        raw_object: None,
        observed_at: at(),
    }
}
