//! The handler: one part of a snapshot in, its rows and rejects out.

mod piped;
mod snapshots;
mod store;

use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use platform::ports::{Incoming, Broker, Kind, Objects};
use platform::runtime::{Consumer, Handle, HandleError, MessageContext, Ports, Stage};
use schemas::keys::SnapshotKeys;
use schemas::{RawBatch, RowBatch, Subscription, Topic};
use tokio::sync::Semaphore;

use crate::audit::AuditHandler;
use crate::config::Config;
use crate::labels::LabelKeys;
use crate::map::{Seat, table_of};
use crate::ownership::Owners;
use crate::part::{self, MappedPart};
use snapshots::{Snapshot, Snapshots};

/// The stage, with what it consumes.
///
/// # Errors
/// None today; a configuration that cannot work would be one.
pub fn stage(config: &Config, ports: &Ports) -> anyhow::Result<Stage> {
    let normalizer = Arc::new(Normalizer {
        broker: Arc::clone(&ports.broker),
        objects: Arc::clone(&ports.objects),
        snapshots: Snapshots::new(Arc::clone(&ports.objects), config.cached_snapshots),
        label_keys: Arc::new(config.label_keys()),
        mapping: Semaphore::new(config.mapping_threads()),
    });
    let audit = Arc::new(AuditHandler::new(Arc::clone(&ports.broker), config.audit_context()?));
    let consumers = vec![
        Consumer::new::<RawBatch>(Subscription::new(Topic::RawBatches, NAME), normalizer),
        Consumer::new::<Incoming>(Subscription::new(Topic::AuditLogs, NAME), audit),
    ];
    Ok(Stage { name: NAME, consumers })
}

/// The objects store behind its port.
type Store = dyn Objects;

/// The stage's name.
const NAME: &str = "normalizer";

/// Maps raw parts. A part is finished when its done note stands: a `RowBatch` as JSON, created
/// once. Whoever finds it publishes it again and is done, so that a part handled any number of
/// times is announced with the same words.
struct Normalizer {
    broker: Arc<dyn Broker>,
    objects: Arc<dyn Objects>,
    snapshots: Snapshots,
    label_keys: Arc<LabelKeys>,
    /// One permit per part being mapped.
    mapping: Semaphore,
}

#[async_trait]
impl Handle<RawBatch> for Normalizer {
    async fn handle(&self, batch: RawBatch, _: &MessageContext) -> Result<(), HandleError> {
        let task = Task::of(batch).map_err(HandleError::Poison)?;
        let announced = match store::done(&*self.objects, &task).await? {
            Some(announced) => announced,
            None => {
                let snapshot = self.snapshots.of(&task).await?;
                let mapped = self.map(&task, &snapshot).await?;
                store::write(&*self.objects, &task, mapped).await?
            }
        };
        self.broker.publish_messages(&[announced]).await?;
        Ok(())
    }
}

impl Normalizer {
    /// Reads the part and maps it off the async threads.
    async fn map(&self, task: &Task, snapshot: &Snapshot) -> Result<MappedPart, HandleError> {
        let permit = self.mapping.acquire().await.map_err(|closed| HandleError::Outage(closed.into()))?;
        let owners = match task.kind {
            Kind::Pods => snapshot.owners(&*self.objects).await?,
            _ => Arc::new(Owners::new()),
        };
        let part = store::raw_part(&*self.objects, &task.batch.object).await?;
        let (task, node_count) = (task.clone(), snapshot.node_count());
        let label_keys = Arc::clone(&self.label_keys);
        let mapped = piped::read(part.body, move |gzip| {
            let seat = Seat {
                cluster: task.batch.cluster.clone(),
                snapshot_id: task.batch.snapshot_id.clone(),
                observed_at: task.batch.observed_at,
                label_keys: &label_keys,
                owners: &owners,
                node_count,
            };
            let source = part::Source { kind: task.kind, object: &task.batch.object, object_count: task.object_count };
            part::map(gzip, &source, &seat)
        })
        .await?;
        drop(permit);
        mapped.map_err(|error| HandleError::Poison(error.into()))
    }
}

/// A raw batch that makes sense.
#[derive(Debug, Clone)]
struct Task {
    batch: RawBatch,
    kind: Kind,
    keys: SnapshotKeys,
    object_count: u64,
}

impl Task {
    /// Checks a batch; an error is poison.
    fn of(batch: RawBatch) -> anyhow::Result<Self> {
        let kind = Kind::from_name(&batch.kind).ok_or_else(|| anyhow!("kind {:?} is not known here", batch.kind))?;
        let keys = SnapshotKeys::of(&batch.manifest).context("manifest of the raw batch")?;
        ensure!(
            keys.snapshot_id() == &batch.snapshot_id && keys.cluster() == &batch.cluster,
            "manifest {} is not of snapshot {} of cluster {}",
            batch.manifest,
            batch.snapshot_id,
            batch.cluster
        );
        ensure!(batch.object.starts_with(&keys.raw_prefix()), "raw part {} is not of that snapshot", batch.object);
        ensure!(
            (0..batch.parts).contains(&batch.part),
            "part {} of {} parts of {} cannot be",
            batch.part,
            batch.parts,
            batch.kind
        );
        ensure!(batch.revision >= 0, "revision {} cannot be", batch.revision);
        let object_count = u64::try_from(batch.object_count).ok().filter(|count| *count <= part::MAX_OBJECTS);
        let object_count = object_count.ok_or_else(|| {
            anyhow!("raw part {}: {} objects, expected 0 to {}", batch.object, batch.object_count, part::MAX_OBJECTS)
        })?;
        Ok(Self { batch, kind, keys, object_count })
    }

    /// What is announced of it.
    fn announce(&self, mapped: &MappedPart) -> anyhow::Result<RowBatch> {
        let Self { batch, kind, keys, .. } = self;
        let table = table_of(*kind);
        let count = |count: u64| i64::try_from(count).context("a count beyond 63 bits");
        Ok(RowBatch {
            snapshot_id: batch.snapshot_id.clone(),
            cluster: batch.cluster.clone(),
            kind: batch.kind.clone(),
            table: table.map(|table| table.name().to_owned()).unwrap_or_default(),
            part: batch.part,
            parts: batch.parts,
            object: table.map(|table| keys.rows_part(batch.revision, table, batch.part)).unwrap_or_default(),
            row_count: count(mapped.row_count)?,
            object_count: count(mapped.object_count)?,
            reject_object: match mapped.reject_count {
                0 => String::new(),
                _ => keys.rejects_part(batch.revision, &batch.kind, batch.part),
            },
            reject_count: count(mapped.reject_count)?,
            observed_at: batch.observed_at,
            manifest: batch.manifest.clone(),
            purpose: batch.purpose,
            revision: batch.revision,
        })
    }
}

#[cfg(test)]
mod tests;
