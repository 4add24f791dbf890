//! The ledger's rows of one kind of one snapshot: pure, and the same whoever writes them and when,
//! so that their times are those of the snapshot.

use schemas::manifest::KindManifest;
use schemas::{IdBuilder, PipelineLedger, RowBatch};

use crate::whole_kind::WholeKind;

/// Everything was there.
const DONE: &str = "done";
/// The list had a gap.
const INCOMPLETE: &str = "incomplete";

/// What the stages before did with the kind, what the loader did, and what the snapshotter did
/// with every kind of the snapshot: a kind without parts has nobody else to tell of it.
pub(crate) fn rows(whole: &WholeKind) -> Vec<PipelineLedger> {
    let listed = whole.manifest.kinds.iter().map(|(kind, listed)| snapshotter(whole, kind, listed));
    listed.chain([normalizer(whole)]).chain(loader(whole)).collect()
}

fn snapshotter(whole: &WholeKind, kind: &str, listed: &KindManifest) -> PipelineLedger {
    PipelineLedger {
        id: id_of(whole, kind),
        kind: Some(kind.to_owned()),
        parts: count(&listed.parts),
        objects: listed.object_count,
        outcome: outcome(listed),
        ..of_stage("snapshotter", whole)
    }
}

fn normalizer(whole: &WholeKind) -> PipelineLedger {
    let rejects = sum(whole, |part| part.reject_count);
    PipelineLedger {
        id: id_of(whole, &whole.kind),
        kind: Some(whole.kind.clone()),
        table: whole.table.map(|table| table.name().to_owned()),
        parts: count(&whole.parts),
        objects: sum(whole, |part| part.object_count).saturating_add(rejects),
        rows: sum(whole, |part| part.row_count),
        rejects,
        ..of_stage("normalizer", whole)
    }
}

fn loader(whole: &WholeKind) -> Option<PipelineLedger> {
    let table = whole.table?;
    Some(PipelineLedger {
        id: id_of(whole, &whole.kind),
        kind: Some(whole.kind.clone()),
        table: Some(table.name().to_owned()),
        parts: count(&whole.parts),
        objects: sum(whole, |part| part.object_count),
        rows: sum(whole, |part| part.row_count),
        // Loaded rows that are not all must not pass for the whole: no data is not zero.
        outcome: whole.manifest.kinds.get(&whole.kind).map_or_else(|| INCOMPLETE.to_owned(), outcome),
        ..of_stage("loader", whole)
    })
}

fn outcome(listed: &KindManifest) -> String {
    if listed.complete { DONE } else { INCOMPLETE }.to_owned()
}

fn of_stage(stage: &str, whole: &WholeKind) -> PipelineLedger {
    PipelineLedger {
        stage: stage.to_owned(),
        id: String::new(),
        cluster: Some(whole.manifest.cluster.clone()),
        snapshot_id: Some(whole.manifest.snapshot_id.clone()),
        kind: None,
        table: None,
        parts: 0,
        objects: 0,
        rows: 0,
        rejects: 0,
        started_at: whole.manifest.observed_at,
        finished_at: whole.manifest.observed_at,
        outcome: DONE.to_owned(),
    }
}

/// One row per stage, snapshot and kind: a higher revision's counts replace a lower one's, as its
/// rows do.
fn id_of(whole: &WholeKind, kind: &str) -> String {
    IdBuilder::new("ledger").part("snapshot", whole.manifest.snapshot_id.as_str()).part("kind", kind).finish()
}

fn sum(whole: &WholeKind, of: fn(&RowBatch) -> i64) -> i64 {
    whole.parts.iter().map(of).fold(0, i64::saturating_add)
}

fn count<T>(parts: &[T]) -> i64 {
    i64::try_from(parts.len()).unwrap_or(i64::MAX)
}
