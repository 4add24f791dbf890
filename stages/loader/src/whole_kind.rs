//! The barrier: one kind of one snapshot, when all of its parts are rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use platform::nearest::did_you_mean;
use platform::ports::{Objects, SnapshotPart, SnapshotRows};
use platform::runtime::HandleError;
use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, Manifest};
use schemas::{RowBatch, Table};

/// Version of the manifest's format that is read here.
const MANIFEST_FORMAT: u32 = 1;
/// Largest manifest that is read, in bytes: about 400,000 parts.
const LARGEST_MANIFEST: u64 = 64 << 20;
/// Largest note of a normalized part that is read, in bytes.
const LARGEST_NOTE: u64 = 64 << 10;
/// Notes read at the same time.
const PARALLEL_READS: usize = 8;

/// One kind of one snapshot, every part of it normalized.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WholeKind {
    pub(crate) manifest: Manifest,
    pub(crate) kind: String,
    /// The table of its rows, for kinds that have one.
    pub(crate) table: Option<Table>,
    pub(crate) revision: i64,
    /// What became of each part, in order.
    pub(crate) parts: Vec<RowBatch>,
}

impl WholeKind {
    /// The kind that a part belongs to, if this part or another one completed it. While parts are
    /// missing there is nothing to do: whoever handles the last one finds them all. A part whose own
    /// note is missing is poison.
    pub(crate) async fn completed_by(
        batch: &RowBatch,
        objects: &Arc<dyn Objects>,
    ) -> Result<Option<Self>, HandleError> {
        let keys = keys_of(batch).map_err(HandleError::Poison)?;
        let table = table_of(batch).map_err(HandleError::Poison)?;
        let manifest = read_manifest(batch, objects).await?;
        let listed = listed(&manifest, batch).map_err(HandleError::Poison)?;
        let all = objects.list(&prefix_of_revisions(&keys)).await?;
        let there: BTreeSet<&str> = all.iter().map(|object| object.key.as_str()).collect();
        let notes = |revision: i64| {
            (0..).take(listed.parts.len()).map(|part| keys.done_part(revision, &batch.kind, part)).collect::<Vec<_>>()
        };
        let is_whole = |revision: i64| notes(revision).iter().all(|note| there.contains(note.as_str()));
        if !is_whole(batch.revision) {
            // A note is written before its batch is published: one that is not there was deleted since, and
            // with it, sooner or later, the rows. That must not pass for a kind that is still coming.
            let own = keys.done_part(batch.revision, &batch.kind, batch.part);
            return if there.contains(own.as_str()) { Ok(None) } else { Err(gone(batch, &own)) };
        }
        let higher = revisions(&keys, &there).into_iter().filter(|revision| *revision > batch.revision);
        if let Some(revision) = higher.rev().find(|revision| is_whole(*revision)) {
            let (snapshot_id, kind) = (&batch.snapshot_id, &batch.kind);
            tracing::info!(%snapshot_id, kind, revision, "replaced by a higher revision, not loaded again");
            return Ok(None);
        }
        let notes = notes(batch.revision);
        let parts: Vec<RowBatch> = futures::stream::iter(notes)
            .map(|note| read_note(note, objects))
            .buffered(PARALLEL_READS)
            .try_collect()
            .await?;
        for (part, note) in (0..).zip(&parts) {
            check_note(note, batch, part).map_err(HandleError::Poison)?;
        }
        Ok(Some(Self { kind: batch.kind.clone(), table, revision: batch.revision, parts, manifest }))
    }

    /// What is to be loaded: all parts of the kind. A source that knows of a gap gave what it had;
    /// its rows are true and are loaded, and manifest and ledger say that they are not all.
    pub(crate) fn rows(&self) -> SnapshotRows {
        SnapshotRows {
            snapshot_id: self.manifest.snapshot_id.clone(),
            revision: self.revision,
            parts: self
                .parts
                .iter()
                .filter(|part| part.row_count > 0 || !part.object.is_empty())
                .map(|part| SnapshotPart { object: part.object.clone(), rows: part.row_count })
                .collect(),
        }
    }
}

fn gone(batch: &RowBatch, note: &str) -> HandleError {
    let (snapshot, kind, part) = (&batch.snapshot_id, &batch.kind, batch.part);
    HandleError::Poison(anyhow!(
        "snapshot {snapshot}, kind {kind}: part {part} is published and its note {note} is not there: its rows were deleted before they were loaded"
    ))
}

/// The keys of the batch's snapshot; its ids and its keys must say the same.
fn keys_of(batch: &RowBatch) -> anyhow::Result<SnapshotKeys> {
    let keys = SnapshotKeys::of(&batch.manifest)?;
    let fits = *keys.snapshot_id() == batch.snapshot_id
        && *keys.cluster() == batch.cluster
        && keys.manifest() == batch.manifest
        && batch.revision >= 0;
    ensure!(fits, "part of snapshot {}: {:?} is not its manifest", batch.snapshot_id, batch.manifest);
    Ok(keys)
}

/// What the keys of every revision's rows start with, up to the revision's number.
fn prefix_of_revisions(keys: &SnapshotKeys) -> String {
    let first = keys.rows_prefix(0);
    first.strip_suffix("0/").unwrap_or(&first).to_owned()
}

/// The revisions that have objects.
fn revisions(keys: &SnapshotKeys, there: &BTreeSet<&str>) -> BTreeSet<i64> {
    let prefix = prefix_of_revisions(keys);
    let number = |key: &&str| key.strip_prefix(&prefix)?.split_once('/')?.0.parse().ok();
    there.iter().filter_map(number).collect()
}

fn table_of(batch: &RowBatch) -> anyhow::Result<Option<Table>> {
    if batch.table.is_empty() {
        return Ok(None);
    }
    let by_snapshot = |table: &Table| table.key().is_empty() && *table != Table::RejectedRows;
    let table = Table::from_name(&batch.table).filter(by_snapshot).ok_or_else(|| {
        let known = Table::ALL.iter().filter(|table| by_snapshot(table)).map(|table| table.name());
        let hint = did_you_mean(&batch.table, known);
        anyhow!("{:?} of kind {} is not a table that is loaded by snapshot{hint}", batch.table, batch.kind)
    })?;
    Ok(Some(table))
}

async fn read_manifest(batch: &RowBatch, objects: &Arc<dyn Objects>) -> Result<Manifest, HandleError> {
    let key = &batch.manifest;
    let found = objects.read_bytes(key, LARGEST_MANIFEST).await?;
    let read = || -> anyhow::Result<Manifest> {
        let (_, bytes) = found.ok_or_else(|| anyhow!("there is none"))?;
        let manifest: Manifest = serde_json::from_slice(&bytes)?;
        ensure!(manifest.format == MANIFEST_FORMAT, "format {}, expected {MANIFEST_FORMAT}", manifest.format);
        ensure!(manifest.snapshot_id == batch.snapshot_id, "it is of snapshot {}", manifest.snapshot_id);
        Ok(manifest)
    };
    read().with_context(|| format!("manifest {key}")).map_err(HandleError::Poison)
}

fn listed<'a>(manifest: &'a Manifest, batch: &RowBatch) -> anyhow::Result<&'a KindManifest> {
    let listed = manifest.kinds.get(&batch.kind).ok_or_else(|| {
        let hint = did_you_mean(&batch.kind, manifest.kinds.keys().map(String::as_str));
        anyhow!("manifest {}: no kind {:?}{hint}", batch.manifest, batch.kind)
    })?;
    let parts = i64::try_from(listed.parts.len())?;
    ensure!(
        batch.parts == parts && (0..parts).contains(&batch.part),
        "part {} of {} of kind {}: the manifest {} has {parts} parts",
        batch.part,
        batch.parts,
        batch.kind,
        batch.manifest
    );
    Ok(listed)
}

async fn read_note(key: String, objects: &Arc<dyn Objects>) -> Result<RowBatch, HandleError> {
    let found = objects.read_bytes(&key, LARGEST_NOTE).await?;
    let (_, bytes) = found.ok_or_else(|| HandleError::Outage(anyhow!("note {key}: listed and not there")))?;
    serde_json::from_slice(&bytes).with_context(|| format!("note {key}")).map_err(HandleError::Poison)
}

/// A note must be of its own part, and count nothing below zero.
fn check_note(note: &RowBatch, batch: &RowBatch, part: i64) -> anyhow::Result<()> {
    let of = |batch: &RowBatch| {
        (batch.snapshot_id.clone(), batch.cluster.clone(), batch.kind.clone(), batch.table.clone(), batch.revision)
    };
    let counts = [note.row_count, note.object_count, note.reject_count];
    ensure!(
        of(note) == of(batch) && note.part == part && counts.iter().all(|count| *count >= 0),
        "snapshot {}, kind {}: the note of part {part} is of another part or has impossible counts",
        batch.snapshot_id,
        batch.kind
    );
    Ok(())
}
