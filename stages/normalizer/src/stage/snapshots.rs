//! What parts of one snapshot share: its manifest, and the owners its `ReplicaSets` tell.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow, ensure};
use platform::ports::{Kind, Objects};
use platform::runtime::HandleError;
use schemas::manifest::Manifest;
use tokio::sync::OnceCell;

use super::{Store, Task, piped, store};
use crate::ownership::Owners;
use crate::part;

/// Largest manifest, in bytes.
const MAX_MANIFEST: u64 = 64 << 20;
/// The format of manifests this version reads.
const MANIFEST_FORMAT: u32 = 1;
/// Most `ReplicaSets` an index holds, about 150 bytes each. A cluster with more is served by the
/// hash method.
const MAX_OWNERS: usize = 1_000_000;

/// A snapshot that is being read or was.
type Shared = Arc<OnceCell<Arc<Snapshot>>>;

/// The newest snapshots that were asked for.
pub(super) struct Snapshots {
    objects: Arc<dyn Objects>,
    bound: usize,
    /// By manifest key, the one asked for last at the back.
    recent: Mutex<VecDeque<(String, Shared)>>,
}

impl Snapshots {
    /// Keeps that many, at least one.
    pub(super) fn new(objects: Arc<dyn Objects>, bound: usize) -> Self {
        Self { objects, bound: bound.max(1), recent: Mutex::new(VecDeque::new()) }
    }

    /// The snapshot of a task, read once however many ask.
    pub(super) async fn of(&self, task: &Task) -> Result<Arc<Snapshot>, HandleError> {
        let cell = self.cell(&task.batch.manifest);
        cell.get_or_try_init(|| Snapshot::read(&*self.objects, task)).await.map(Arc::clone)
    }

    fn cell(&self, manifest: &str) -> Shared {
        // A thread that panicked while it held the lock left the queue whole: all changes are single.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent.iter().position(|(key, _)| key == manifest).and_then(|place| recent.remove(place));
        let (key, cell) = known.unwrap_or_else(|| (manifest.to_owned(), Arc::default()));
        recent.push_back((key, Arc::clone(&cell)));
        if recent.len() > self.bound {
            recent.pop_front();
        }
        cell
    }
}

/// One snapshot.
pub(super) struct Snapshot {
    manifest: Manifest,
    owners: OnceCell<Arc<Owners>>,
}

impl Snapshot {
    /// Reads the manifest.
    async fn read(objects: &Store, task: &Task) -> Result<Arc<Self>, HandleError> {
        let key = &task.batch.manifest;
        let stored = objects.read_bytes(key, MAX_MANIFEST).await?;
        let (_, bytes) = stored.ok_or_else(|| {
            HandleError::Poison(anyhow!("manifest {key} is gone: it was there when its parts were announced"))
        })?;
        let manifest = Self::check(&bytes, task).with_context(|| format!("manifest {key}"));
        let manifest = manifest.map_err(HandleError::Poison)?;
        Ok(Arc::new(Self { manifest, owners: OnceCell::new() }))
    }

    fn check(bytes: &[u8], task: &Task) -> anyhow::Result<Manifest> {
        let manifest: Manifest = serde_json::from_slice(bytes)?;
        ensure!(manifest.format == MANIFEST_FORMAT, "format {} is not known here", manifest.format);
        ensure!(manifest.snapshot_id == task.batch.snapshot_id, "it is of snapshot {}", manifest.snapshot_id);
        ensure!(manifest.cluster == task.batch.cluster, "it is of cluster {}", manifest.cluster);
        Ok(manifest)
    }

    /// Nodes of the snapshot, where all were listed.
    pub(super) fn node_count(&self) -> Option<i64> {
        let nodes = self.manifest.kinds.get(Kind::Nodes.name())?;
        nodes.complete.then_some(nodes.object_count)
    }

    /// Owners by those `ReplicaSets` that were listed, all of them or not: what one says of its
    /// owner is true whatever became of the others. Empty where they are too many.
    pub(super) async fn owners(&self, objects: &Store) -> Result<Arc<Owners>, HandleError> {
        self.owners.get_or_try_init(|| self.build(objects)).await.map(Arc::clone)
    }

    async fn build(&self, objects: &Store) -> Result<Arc<Owners>, HandleError> {
        let mut owners = Owners::new();
        let listed = self.manifest.kinds.get(Kind::ReplicaSets.name());
        for part in listed.into_iter().flat_map(|kind| &kind.parts) {
            let stored = store::raw_part(objects, &part.object).await?;
            let read =
                piped::read(stored.body, move |gzip| part::learn(gzip, &mut owners, MAX_OWNERS).map(|()| owners));
            owners = read.await?.with_context(|| format!("raw part {}", part.object)).map_err(HandleError::Poison)?;
            if owners.len() > MAX_OWNERS {
                tracing::warn!(snapshot_id = %self.manifest.snapshot_id, "too many replicasets, owners found by hash");
                return Ok(Arc::default());
            }
        }
        Ok(Arc::new(owners))
    }
}
