//! The snapshotter as a library, over an embedded broker and a folder.

use std::io::{BufRead as _, BufReader};
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use platform::embedded::{BrokerSettings, DirObjects, SqliteBroker};
use platform::ports::{Broker, Cluster, Flow, Incoming, Objects};
use platform::runtime::{Env, HandleError, Ports};
use schemas::manifest::{KindManifest, Manifest};
use schemas::{ClusterName, Message as _, Purpose, RawBatch, SnapshotRequest, Subscription, Timestamp, Topic};
use serde_json::Value;

/// Largest object that is read back, in bytes.
const OBJECT_BYTES: u64 = 64 << 20;
/// Objects in one part, at most: little, so that a list is several parts.
pub(crate) const PART_OBJECTS: &str = "500";
const ANNOUNCED: Subscription = Subscription::new(Topic::RawBatches, "normalizer");

pub(crate) struct Lab {
    folder: tempfile::TempDir,
    broker: Arc<SqliteBroker>,
    objects: Arc<DirObjects>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = SqliteBroker::open(folder.path().join("broker.db"), BrokerSettings::default()).unwrap();
        let objects = DirObjects::open(folder.path().join("objects")).unwrap();
        Self { folder, broker: Arc::new(broker), objects: Arc::new(objects) }
    }

    /// Takes one snapshot of everything; what was announced of it has been checked against its
    /// manifest.
    pub(crate) async fn snapshot(&self, id: &str, cluster: Arc<dyn Cluster>) -> Result<Manifest, HandleError> {
        assert!(self.folder.path().exists());
        let config: snapshotter::Config = Env::from_pairs([
            ("PODLEDGER_SNAPSHOT_PART_OBJECTS", PART_OBJECTS),
            ("PODLEDGER_SNAPSHOT_RELISTS", "20"),
            ("PODLEDGER_SNAPSHOT_RELIST_DELAY", "250ms"),
        ])
        .read()
        .unwrap();
        let ports = Ports {
            clusters: [(ClusterName::from("prod"), cluster)].into(),
            ..Ports::new(self.broker.clone(), self.objects.clone())
        };
        let request = SnapshotRequest {
            request_id: id.to_owned(),
            cluster: "prod".to_owned(),
            kinds: Vec::new(),
            requested_at: 0,
            requested_by: "a test".to_owned(),
            purpose: Purpose::Manual,
        };
        let encoded = request.encode().unwrap();
        let incoming = Incoming {
            message_id: id.to_owned(),
            payload: encoded.bytes,
            attributes: encoded.attributes,
            ordering_key: None,
            published_at: Timestamp::parse("2026-10-01T12:00:00Z").unwrap(),
            delivery_attempt: 1,
        };
        let flow = Flow { max_outstanding: 1_000, lease: Duration::from_secs(60) };
        let mut announced = self.broker.subscribe(ANNOUNCED, flow).await.unwrap();
        snapshotter::stage(&config, &ports).unwrap().consumers[0].handle.handle_incoming(&incoming).await?;

        let manifest = self.read(&format!("raw/prod/2026-10-01/{id}/manifest.json")).await;
        let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
        let mut left: Vec<_> = manifest.kinds.values().flat_map(|kind| &kind.parts).map(|part| &part.object).collect();
        while !left.is_empty() {
            let delivery = announced.next().await.unwrap();
            let batch = RawBatch::decode(&delivery.message.payload, &delivery.message.attributes).unwrap();
            let listed = &manifest.kinds[&batch.kind];
            assert_eq!(batch.resource_version, listed.resource_version, "{}", batch.object);
            let before = left.len();
            left.retain(|object| **object != batch.object);
            assert_eq!(left.len() + 1, before, "{} is announced once and is in the manifest", batch.object);
            assert!(delivery.ack().await.unwrap());
        }
        Ok(manifest)
    }

    /// Calls a function with every object of a kind, part by part; how many there were in each.
    pub(crate) async fn each(&self, kind: &KindManifest, mut look: impl FnMut(&str)) -> Vec<i64> {
        let mut counts = Vec::new();
        for part in &kind.parts {
            let stored = self.read(&part.object).await;
            assert_eq!(stored.len() as i64, part.bytes, "{}", part.object);
            let lines = BufReader::new(GzDecoder::new(&*stored)).lines().map(Result::unwrap);
            counts.push(lines.map(|line| look(&line)).count() as i64);
            assert_eq!(counts.last(), Some(&part.object_count), "{}", part.object);
        }
        counts
    }

    /// The names of a kind's objects, in order of their parts.
    pub(crate) async fn names(&self, kind: &KindManifest) -> Vec<String> {
        let mut names = Vec::new();
        self.each(kind, |line| {
            let object: Value = serde_json::from_str(line).unwrap();
            names.push(object["metadata"]["name"].as_str().unwrap().to_owned());
        })
        .await;
        names
    }

    /// Keys of everything stored of a snapshot.
    pub(crate) async fn keys(&self, id: &str) -> Vec<String> {
        let listed = self.objects.list(&format!("raw/prod/2026-10-01/{id}/")).await.unwrap();
        listed.into_iter().map(|object| object.key).collect()
    }

    async fn read(&self, key: &str) -> bytes::Bytes {
        let objects: &dyn Objects = &*self.objects;
        objects.read_bytes(key, OBJECT_BYTES).await.unwrap().unwrap_or_else(|| panic!("{key} is not there")).1
    }
}
