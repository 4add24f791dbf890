//! The ledger's rows of one kind of a snapshot: what was listed, mapped and loaded.

use schemas::manifest::{KindManifest, Manifest};
use schemas::{IdBuilder, PipelineLedger, RowBatch, Table};

/// A kind whose parts are all normalized.
pub(crate) struct FinishedKind<'a> {
    /// The snapshot.
    pub(crate) manifest: &'a Manifest,
    /// Plural name of the kind.
    pub(crate) kind: &'a str,
    /// Its table, where it has one.
    pub(crate) table: Option<Table>,
    /// Its parts.
    pub(crate) batches: &'a [RowBatch],
    /// Revision of the rows.
    pub(crate) revision: i64,
}

/// One row each for the normalizer and the loader, and one of the snapshotter for *every* kind of the
/// snapshot: a kind that is lost on the way, or could not be listed, is then known to be missing.
pub(crate) fn rows(finished: &FinishedKind<'_>) -> Vec<PipelineLedger> {
    let listed = |(name, kind): (&String, &KindManifest)| {
        let row = row(finished, "snapshotter", name);
        PipelineLedger { parts: length(kind.parts.len()), objects: kind.object_count, outcome: outcome(kind), ..row }
    };
    let mut rows: Vec<_> = finished.manifest.kinds.iter().map(listed).collect();
    let sum = |count: fn(&RowBatch) -> i64| finished.batches.iter().map(count).fold(0, i64::saturating_add);
    let rejects = sum(|batch| batch.reject_count);
    rows.push(PipelineLedger {
        parts: length(finished.batches.len()),
        objects: sum(|batch| batch.object_count).saturating_add(rejects),
        rows: sum(|batch| batch.row_count),
        rejects,
        ..row(finished, "normalizer", finished.kind)
    });
    rows.push(PipelineLedger {
        parts: length(finished.batches.len()),
        rows: sum(|batch| batch.row_count),
        rejects,
        ..row(finished, "loader", finished.kind)
    });
    rows
}

/// A row of one stage with nothing counted yet. Both times are the snapshot's own, so that doing
/// the work again writes the same row.
fn row(finished: &FinishedKind<'_>, stage: &str, kind: &str) -> PipelineLedger {
    let manifest = finished.manifest;
    let table = finished.table.filter(|_| kind == finished.kind && stage != "snapshotter");
    PipelineLedger {
        stage: stage.to_owned(),
        id: IdBuilder::new("ledger")
            .part("stage", stage)
            .part("cluster", manifest.cluster.as_str())
            .part("snapshot", manifest.snapshot_id.as_str())
            .part("kind", kind)
            .part("revision", finished.revision.to_be_bytes())
            .finish(),
        cluster: Some(manifest.cluster.clone()),
        snapshot_id: Some(manifest.snapshot_id.clone()),
        kind: Some(kind.to_owned()),
        table: table.map(|table| table.name().to_owned()),
        parts: 0,
        objects: 0,
        rows: 0,
        rejects: 0,
        started_at: manifest.observed_at,
        finished_at: manifest.observed_at,
        outcome: "done".to_owned(),
    }
}

fn outcome(kind: &KindManifest) -> String {
    if kind.complete { "done" } else { "incomplete" }.to_owned()
}

fn length(parts: usize) -> i64 {
    i64::try_from(parts).unwrap_or(i64::MAX)
}
