//! Reads back what a snapshot became: from its manifest, its parts' notes and its rejects.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use platform::ports::Objects;
use schemas::keys::{self, SnapshotKeys};
use schemas::manifest::Manifest;
use schemas::{RejectedRows, RowBatch};

use super::report::{InGrace, KindCounts, RejectedObject};

/// Largest manifest that is read.
const MANIFEST_BYTES: u64 = 64 << 20;
/// Largest note or file of rejects that is read.
const NOTE_BYTES: u64 = 64 << 20;
/// Largest state of a cluster that is read.
const STATE_BYTES: u64 = 256 << 20;
/// Most rejected objects that a report lists.
const MOST_REJECTS: usize = 10_000;

/// The manifest of a snapshot, once it is written.
pub async fn manifest(objects: &dyn Objects, keys: &SnapshotKeys) -> Result<Option<Manifest>> {
    let key = keys.manifest();
    let Some((_, bytes)) = objects.read_bytes(&key, MANIFEST_BYTES).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).with_context(|| format!("object {key}: not a manifest")).map(Some)
}

/// Counts by kind, and the rejected objects.
pub async fn outcome(
    objects: &dyn Objects,
    keys: &SnapshotKeys,
    manifest: &Manifest,
) -> Result<(BTreeMap<String, KindCounts>, Vec<RejectedObject>)> {
    let mut kinds: BTreeMap<String, KindCounts> = manifest
        .kinds
        .iter()
        .map(|(name, kind)| {
            let counts = KindCounts {
                objects: kind.object_count,
                rows: 0,
                rejects: 0,
                complete: kind.complete,
                gap: kind.gap.clone(),
                excluded: kind.excluded_count,
            };
            (name.clone(), counts)
        })
        .collect();
    let mut rejects = Vec::new();
    for note in objects.list(&format!("{}done/", keys.rows_prefix(0))).await? {
        let Some((_, bytes)) = objects.read_bytes(&note.key, NOTE_BYTES).await? else { continue };
        let batch: RowBatch =
            serde_json::from_slice(&bytes).with_context(|| format!("object {}: not a row batch", note.key))?;
        if let Some(counts) = kinds.get_mut(&batch.kind) {
            counts.rows += batch.row_count;
            counts.rejects += batch.reject_count;
        }
        if !batch.reject_object.is_empty() && rejects.len() < MOST_REJECTS {
            rejects.extend(read_rejects(objects, &batch.reject_object).await?);
        }
    }
    rejects.truncate(MOST_REJECTS);
    Ok((kinds, rejects))
}

/// How the evaluator stands to a snapshot: whether it was the newest one judged, and which rules are
/// broken within their grace time.
pub async fn standing(objects: &dyn Objects, manifest: &Manifest) -> Result<(bool, Vec<InGrace>)> {
    let key = keys::evaluator_state(&manifest.cluster);
    let Some((_, bytes)) = objects.read_bytes(&key, STATE_BYTES).await? else { return Ok((false, Vec::new())) };
    let state = evaluator::State::parse(&key, &bytes)?;
    let judged = state.newest.as_ref().is_some_and(|newest| newest.snapshot_id == manifest.snapshot_id);
    let in_grace = state
        .in_grace()
        .map(|(tracked, since)| InGrace {
            rule: tracked.rule,
            namespace: tracked.namespace.clone(),
            deployment_name: tracked.deployment.clone(),
            since,
        })
        .collect();
    Ok((judged, in_grace))
}

/// The rejected rows of one part.
async fn read_rejects(objects: &dyn Objects, key: &str) -> Result<Vec<RejectedObject>> {
    let Some((_, bytes)) = objects.read_bytes(key, NOTE_BYTES).await? else { return Ok(Vec::new()) };
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let row: RejectedRows =
                serde_json::from_slice(line).with_context(|| format!("object {key}: not a rejected row"))?;
            Ok(RejectedObject { kind: row.kind, object: row.object, reason: row.reason })
        })
        .collect()
}
