//! Reading one snapshot: the barrier, the rows, the limits, the changes, and what is missing.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use platform::ports::Kind;
use platform::runtime::HandleError;
use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, Manifest};
use schemas::{GkeDeployments, HpaData, Purpose, RejectedRows, Row, RowBatch, RowReader};

use super::{Evaluator, outage};
use crate::cause::Changes;
use crate::gaps::{Absence, Autoscalers, Coverage};
use crate::snapshot::Snapshot;
use crate::state::Judged;
use crate::workload::WorkloadParts;

/// Largest manifest that is read, in bytes: some 100,000 parts.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;
/// Largest note of a finished part, in bytes.
const MAX_NOTE_BYTES: u64 = 64 << 10;
/// Rejected objects of one part that are looked at one by one; more protect everything.
const MAX_REJECTS: i64 = 10_000;
/// Kinds whose rows verdicts need.
const NEEDED: [Kind; 2] = [Kind::Deployments, Kind::HorizontalPodAutoscalers];

/// What the barrier says.
pub(super) enum Needed {
    /// Verdicts do not depend on this batch.
    NotConcerned,
    /// Parts are missing.
    Missing,
    /// All parts are there.
    All(Found),
}

/// A snapshot whose needed parts are all there.
pub(super) struct Found {
    manifest: Manifest,
    keys: SnapshotKeys,
    revision: i64,
}

impl Found {
    /// Its place in the order of snapshots.
    pub(super) fn judged(&self) -> Judged {
        Judged { observed_at: self.manifest.observed_at, snapshot_id: self.manifest.snapshot_id.clone() }
    }
}

/// Rows of one part.
enum PartRows {
    Deployments(Vec<GkeDeployments>),
    Autoscalers(Vec<HpaData>),
}

/// Poison: the batch names something that cannot be as it says.
fn poison(reason: impl Into<anyhow::Error>) -> HandleError {
    HandleError::Poison(reason.into())
}

impl Evaluator {
    /// Whether the parts that verdicts need are all there.
    pub(super) async fn needed_parts(&self, batch: &RowBatch) -> Result<Needed, HandleError> {
        let keys = SnapshotKeys::of(&batch.manifest).map_err(poison)?;
        let manifest = self.manifest(batch, &keys).await?;
        if manifest.purpose == Purpose::Backfill || !manifest.kinds.contains_key(Kind::Deployments.name()) {
            return Ok(Needed::NotConcerned);
        }
        let needed: Vec<(&str, &KindManifest)> =
            NEEDED.iter().filter_map(|kind| Some((kind.name(), manifest.kinds.get(kind.name())?))).collect();
        // A kind that failed has no part whose arrival could tell: then any part does.
        let concerned = needed.iter().any(|(name, kind)| *name == batch.kind || kind.parts.is_empty());
        if !concerned {
            return Ok(Needed::NotConcerned);
        }
        let done_prefix = format!("{}done/", keys.rows_prefix(batch.revision));
        let done = self.objects.list(&done_prefix).await.map_err(outage)?;
        let is_done = |key: &str| done.binary_search_by(|object| object.key.as_str().cmp(key)).is_ok();
        let all = needed.iter().all(|(name, kind)| {
            (0..).zip(&kind.parts).all(|(part, _)| is_done(&keys.done_part(batch.revision, name, part)))
        });
        Ok(if all { Needed::All(Found { manifest, keys, revision: batch.revision }) } else { Needed::Missing })
    }

    async fn manifest(&self, batch: &RowBatch, keys: &SnapshotKeys) -> Result<Manifest, HandleError> {
        let key = &batch.manifest;
        let Some((_, bytes)) = self.objects.read_bytes(key, MAX_MANIFEST_BYTES).await? else {
            return Err(poison(anyhow::anyhow!("manifest {key} is not there")));
        };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| poison(anyhow::Error::new(error).context(format!("manifest {key}"))))?;
        let same = manifest.snapshot_id == batch.snapshot_id
            && manifest.cluster == batch.cluster
            && *keys.snapshot_id() == batch.snapshot_id
            && *keys.cluster() == batch.cluster;
        if !same {
            return Err(poison(anyhow::anyhow!(
                "manifest {key} is of snapshot {} of {}, the batch of {} of {}",
                manifest.snapshot_id,
                manifest.cluster,
                batch.snapshot_id,
                batch.cluster
            )));
        }
        Ok(manifest)
    }

    /// Reads everything that a verdict needs to see, the warehouse's part while the rows are decoded.
    pub(super) async fn read(&self, found: Found) -> Result<Snapshot, HandleError> {
        // Whatever fails here is no judgement: without limits everything would seem undeclared.
        let (cluster, at) = (&found.manifest.cluster, found.manifest.observed_at);
        let limits = async { self.warehouse.limits_as_of(cluster, at).await.map_err(outage) };
        let changes = async { self.warehouse.last_changes(cluster, at).await.map_err(outage) };
        let ((workloads, coverage), limits, changes) = tokio::try_join!(self.read_parts(&found), limits, changes)?;
        Ok(Snapshot {
            cluster: cluster.clone(),
            snapshot_id: found.manifest.snapshot_id.clone(),
            observed_at: at,
            workloads: workloads.join(limits),
            changes: Changes::new(changes),
            coverage,
        })
    }

    /// Reads the parts: what runs, and what of it is missing.
    async fn read_parts(&self, found: &Found) -> Result<(WorkloadParts, Coverage), HandleError> {
        let Found { manifest, keys, revision } = found;
        let mut coverage = coverage(manifest);
        let parts: Vec<(Kind, String)> = NEEDED
            .iter()
            .filter_map(|kind| Some((*kind, manifest.kinds.get(kind.name())?)))
            .flat_map(|(kind, listed)| {
                (0..).zip(&listed.parts).map(move |(part, _)| (kind, keys.done_part(*revision, kind.name(), part)))
            })
            .collect();
        let mut read = stream::iter(parts)
            .map(|(kind, note)| async move {
                let batch = self.note(&note).await?;
                let rejected = self.rejected(&batch).await?;
                let rows = self.rows(kind, &batch).await?;
                Ok::<_, HandleError>((kind, batch, rejected, rows))
            })
            .buffered(self.parallel_reads);
        let mut workloads = WorkloadParts::default();
        let mut rejects: BTreeMap<Kind, i64> = BTreeMap::new();
        while let Some((kind, batch, rejected, rows)) = read.try_next().await? {
            if batch.reject_count > 0 {
                let count = rejects.entry(kind).or_default();
                *count = count.saturating_add(batch.reject_count);
            }
            match rows {
                PartRows::Deployments(rows) => {
                    rejected.iter().for_each(|object| coverage.deployment_rejected(object));
                    rows.into_iter().for_each(|row| workloads.add_deployment(row));
                }
                PartRows::Autoscalers(rows) => {
                    if batch.reject_count > 0 {
                        coverage.autoscalers_unread();
                    }
                    rows.into_iter().for_each(|row| workloads.add_autoscaler(row));
                }
            }
        }
        drop(read);
        coverage.gaps.extend(rejects.iter().map(|(kind, count)| format!("{kind}: {count} could not be read")));
        Ok((workloads, coverage))
    }

    /// The note that a part was normalized.
    async fn note(&self, key: &str) -> Result<RowBatch, HandleError> {
        let Some((_, bytes)) = self.objects.read_bytes(key, MAX_NOTE_BYTES).await? else {
            return Err(poison(anyhow::anyhow!("note {key} was listed and is not there")));
        };
        serde_json::from_slice(&bytes).map_err(|error| poison(anyhow::Error::new(error).context(format!("note {key}"))))
    }

    /// The rows of a part, counted.
    async fn rows(&self, kind: Kind, batch: &RowBatch) -> Result<PartRows, HandleError> {
        let key = batch.object.clone();
        let Some((_, bytes)) = self.objects.read_bytes(&key, self.max_part_bytes).await? else {
            return Err(poison(anyhow::anyhow!("rows {key} are not there")));
        };
        let expected = batch.row_count;
        let decoded = tokio::task::spawn_blocking(move || match kind {
            Kind::HorizontalPodAutoscalers => decode(&key, &bytes, expected).map(PartRows::Autoscalers),
            _ => decode(&key, &bytes, expected).map(PartRows::Deployments),
        });
        decoded.await.map_err(|error| HandleError::Outage(error.into()))?.map_err(poison)
    }

    /// Namespace and name of the rejected Deployments of a part; one empty text stands for objects
    /// that are not known.
    async fn rejected(&self, batch: &RowBatch) -> Result<Vec<String>, HandleError> {
        if batch.reject_count == 0 || batch.kind != Kind::Deployments.name() {
            return Ok(Vec::new());
        }
        if batch.reject_object.is_empty() || batch.reject_count > MAX_REJECTS {
            return Ok(vec![String::new()]);
        }
        let key = &batch.reject_object;
        let Some((_, bytes)) = self.objects.read_bytes(key, self.max_part_bytes).await? else {
            return Err(poison(anyhow::anyhow!("rejected rows {key} are not there")));
        };
        let rejects = serde_json::Deserializer::from_slice(&bytes).into_iter::<RejectedRows>();
        let mut objects: Vec<String> = rejects
            .map(|reject| reject.map(|reject| reject.object.unwrap_or_default()))
            .collect::<Result<_, _>>()
            .map_err(|error| poison(anyhow::Error::new(error).context(format!("rejected rows {key}"))))?;
        if i64::try_from(objects.len()).ok() != Some(batch.reject_count) {
            objects.push(String::new());
        }
        Ok(objects)
    }
}

/// Decodes a part; a number of rows other than noted means it is not the part that was noted.
fn decode<R: Row>(key: &str, bytes: &[u8], expected: i64) -> anyhow::Result<Vec<R>> {
    let rows = RowReader::<R>::read(bytes)
        .and_then(Iterator::collect::<Result<Vec<R>, _>>)
        .map_err(|error| anyhow::Error::new(error).context(format!("rows {key}")))?;
    anyhow::ensure!(
        i64::try_from(rows.len()).ok() == Some(expected),
        "rows {key} are {}, the note says {expected}",
        rows.len()
    );
    Ok(rows)
}

/// What a manifest says about what is missing.
fn coverage(manifest: &Manifest) -> Coverage {
    let mut coverage = Coverage::complete();
    let gap = |kind: Kind, listed: &KindManifest| {
        format!("{kind}: {}", listed.gap.as_deref().unwrap_or("the list is not complete"))
    };
    match manifest.kinds.get(Kind::Deployments.name()) {
        Some(listed) if listed.complete => {}
        Some(listed) => {
            coverage.absence = Absence::Unproven;
            coverage.gaps.push(gap(Kind::Deployments, listed));
        }
        None => {
            coverage.absence = Absence::Unproven;
            coverage.asked_for_all = false;
        }
    }
    match manifest.kinds.get(Kind::HorizontalPodAutoscalers.name()) {
        Some(listed) if listed.complete => {}
        Some(listed) => {
            coverage.autoscalers = Autoscalers::Unknown;
            coverage.gaps.push(gap(Kind::HorizontalPodAutoscalers, listed));
        }
        None => {
            coverage.autoscalers = Autoscalers::Unknown;
            coverage.asked_for_all = false;
        }
    }
    // What could not be read as any kind may have been a Deployment or an autoscaler.
    if let Some(unreadable) =
        manifest.kinds.get(Kind::Unreadable.name()).filter(|kind| kind.object_count > 0 || !kind.complete)
    {
        coverage.absence = Absence::Unproven;
        coverage.autoscalers_unread();
        coverage.gaps.push(format!("objects of unknown kind: {} could not be read", unreadable.object_count));
    }
    coverage
}
