//! A snapshot on disk, a broker that keeps what it is given, and trouble on demand.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use platform::embedded::DirObjects;
use platform::ports::{
    Broker, ByteStream, Created, Generation, ObjectMeta, Objects, PortError, PortResult, Replaced, StoredObject,
};
use platform::runtime::{Handle as _, HandleError, MessageContext};
use platform::testkit::memory::MemoryBroker;
use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, Manifest, PartManifest};
use schemas::{ClusterName, Purpose, RawBatch, RowBatch};
use serde_json::Value;
use tempfile::TempDir;

use crate::LabelKeys;
use crate::stage::Normalizer;
use crate::stage::snapshots::Snapshots;
use crate::testing::at;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// The write after that many fails without effect.
    BeforeWrite(usize),
    /// The write after that many takes effect, but nobody hears of it.
    AfterWrite(usize),
    NoReads,
    /// Raw parts break off.
    BrokenBodies,
}

/// A folder of objects with trouble.
pub(super) struct Troubled {
    inner: Arc<dyn Objects>,
    trouble: Mutex<(Trouble, usize)>,
}

impl Troubled {
    pub(super) fn set(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = (trouble, 0);
    }

    fn now(&self) -> Trouble {
        self.trouble.lock().unwrap().0
    }

    /// Counts a write and says what becomes of it.
    fn write(&self) -> Trouble {
        let mut trouble = self.trouble.lock().unwrap();
        let (kind, writes) = *trouble;
        trouble.1 += 1;
        match kind {
            Trouble::BeforeWrite(n) | Trouble::AfterWrite(n) if n == writes => kind,
            _ => Trouble::None,
        }
    }
}

fn away() -> PortError {
    PortError::may_have_happened("test", anyhow::anyhow!("away"))
}

#[async_trait]
impl Objects for Troubled {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        match self.write() {
            Trouble::BeforeWrite(_) => Err(away()),
            Trouble::AfterWrite(_) => self.inner.create(key, body).await.and(Err(away())),
            _ => self.inner.create(key, body).await,
        }
    }
    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        self.inner.replace_if(key, expected, body).await
    }
    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        match self.now() {
            Trouble::NoReads => Err(away()),
            Trouble::BrokenBodies if key.ends_with(".gz") => {
                let stored = self.inner.read(key).await?;
                let broken = futures::stream::once(async { Err(std::io::Error::other("connection reset")) });
                Ok(stored.map(|stored| StoredObject { body: stored.body.take(0).chain(broken).boxed(), ..stored }))
            }
            _ => self.inner.read(key).await,
        }
    }
    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        self.inner.list(prefix).await
    }
    async fn delete(&self, key: &str) -> PortResult<()> {
        self.inner.delete(key).await
    }
    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

/// One snapshot of `prod-uk`, and a normalizer.
pub(super) struct World {
    folder: Arc<TempDir>,
    pub(super) objects: Arc<Troubled>,
    pub(super) broker: Arc<MemoryBroker>,
    normalizer: Normalizer,
    pub(super) keys: SnapshotKeys,
    pub(super) batches: Vec<RawBatch>,
    kinds: BTreeMap<String, KindManifest>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::over(Arc::new(TempDir::new().unwrap()))
    }

    /// Another process on the same objects.
    pub(super) fn restarted(world: &Self) -> Self {
        let mut restarted = Self::over(Arc::clone(&world.folder));
        restarted.batches.clone_from(&world.batches);
        restarted
    }

    fn over(folder: Arc<TempDir>) -> Self {
        let inner: Arc<dyn Objects> = Arc::new(DirObjects::open(folder.path()).unwrap());
        let objects = Arc::new(Troubled { inner, trouble: Mutex::new((Trouble::None, 0)) });
        let broker = Arc::<MemoryBroker>::default();
        let port: Arc<dyn Objects> = Arc::clone(&objects) as Arc<dyn Objects>;
        let normalizer = Normalizer {
            broker: Arc::clone(&broker) as Arc<dyn Broker>,
            objects: Arc::clone(&port),
            snapshots: Snapshots::new(port, 2),
            label_keys: Arc::new(LabelKeys::default()),
            mapping: tokio::sync::Semaphore::new(2),
        };
        let cluster = ClusterName::parse("prod-uk").unwrap();
        let keys = SnapshotKeys::new(cluster, at("2026-10-01T12:00:00Z"), "s1".into());
        Self { folder, objects, broker, normalizer, keys, batches: Vec::new(), kinds: BTreeMap::new() }
    }

    /// Stores the parts of a kind.
    pub(super) async fn kind(&mut self, kind: &str, complete: bool, parts: &[&[Value]]) {
        let mut listed = KindManifest {
            complete,
            gap: (!complete).then(|| "denied".to_owned()),
            api_version: "v1".into(),
            resource_version: "1".into(),
            object_count: 0,
            excluded_count: 0,
            parts: Vec::new(),
        };
        for (part, objects) in (0_i64..).zip(parts) {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            objects.iter().for_each(|object| writeln!(encoder, "{object}").unwrap());
            let bytes = encoder.finish().unwrap();
            let object = self.keys.raw_part(1, kind, part);
            let (object_count, size) = (objects.len() as i64, bytes.len() as i64);
            self.put(&object, &bytes).await;
            listed.object_count += object_count;
            listed.parts.push(PartManifest { object: object.clone(), object_count, bytes: size });
            self.batches.push(RawBatch {
                snapshot_id: "s1".into(),
                cluster: "prod-uk".into(),
                kind: kind.to_owned(),
                api_version: "v1".into(),
                attempt: 1,
                part,
                parts: parts.len() as i64,
                object,
                object_count,
                bytes: size,
                resource_version: "1".into(),
                observed_at: at("2026-10-01T12:00:05Z"),
                manifest: self.keys.manifest(),
                purpose: Purpose::Scheduled,
                revision: 0,
            });
        }
        self.kinds.insert(kind.to_owned(), listed);
    }

    /// Writes the manifest.
    pub(super) async fn finish(&self) {
        let manifest = Manifest {
            format: 1,
            snapshot_id: "s1".into(),
            cluster: "prod-uk".into(),
            attempt: 1,
            requested_at: at("2026-10-01T12:00:00Z"),
            requested_by: "test".into(),
            observed_at: at("2026-10-01T12:00:05Z"),
            purpose: Purpose::Scheduled,
            kinds: self.kinds.clone(),
        };
        self.put(&self.keys.manifest(), &serde_json::to_vec(&manifest).unwrap()).await;
    }

    pub(super) async fn put(&self, key: &str, bytes: &[u8]) {
        self.objects.inner.create_bytes(key, bytes.to_vec()).await.unwrap();
    }

    pub(super) async fn bytes(&self, key: &str) -> Bytes {
        self.objects.inner.read_bytes(key, 1 << 20).await.unwrap().unwrap_or_else(|| panic!("{key} is missing")).1
    }

    /// Everything that lies under `rows/`.
    pub(super) async fn stored(&self) -> BTreeMap<String, Bytes> {
        let mut stored = BTreeMap::new();
        for object in self.objects.inner.list("rows/").await.unwrap() {
            let bytes = self.bytes(&object.key).await;
            stored.insert(object.key, bytes);
        }
        stored
    }

    pub(super) async fn handle(&self, batch: &RawBatch) -> Result<(), HandleError> {
        let context = MessageContext {
            message_id: "1".into(),
            published_at: at("2026-10-01T12:00:06Z"),
            delivery_attempt: 1,
            attributes: BTreeMap::new(),
        };
        self.normalizer.handle(batch.clone(), &context).await
    }

    /// What is published when all batches are handled.
    pub(super) async fn handle_all(&self) -> Vec<RowBatch> {
        self.broker.clear();
        for batch in &self.batches {
            self.handle(batch).await.unwrap();
        }
        self.published()
    }

    pub(super) fn published(&self) -> Vec<RowBatch> {
        self.broker.published()
    }
}
