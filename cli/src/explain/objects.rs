//! Kubernetes objects as rows: the one place that calls the normalizer's mapping.

use std::io::Write;

use normalizer::LabelKeys;
use normalizer::map::{Reject, Rows, Seat};
use platform::kubernetes::is_its_group;
use platform::ports::Kind;
use schemas::Table;

use super::Options;
use super::item::Object;
use super::line::Lines;

/// Snapshot id of explained rows.
const SNAPSHOT: &str = "explain";

/// `ReplicaSets` of all files, through which pods belong to Deployments.
#[derive(Default)]
pub(super) struct Owners(normalizer::Owners);

impl Owners {
    /// Remembers an object that owns others. One that cannot be read is a reject of its own.
    pub(super) fn learn(&mut self, object: &Object<'_>) {
        if collected(&object.kind, &object.api_version) == Some(Kind::ReplicaSets)
            && let Err(reject) = self.0.learn(object.json.get().as_bytes())
        {
            tracing::debug!(%reject, "owns nothing");
        }
    }
}

/// Whether the pipeline collects objects of a kind; an API version that is missing counts as the
/// right one, since items of lists lack it.
pub fn is_collected(kind: &str, api_version: &str) -> bool {
    collected(kind, api_version).is_some()
}

/// The kind of an object that the pipeline collects.
fn collected(kind: &str, api_version: &str) -> Option<Kind> {
    Kind::of_object(kind).filter(|kind| is_its_group(*kind, api_version))
}

/// Writes the lines of an object.
pub(super) fn explain(object: &Object<'_>, options: &Options, owners: &Owners, lines: &mut Lines<'_, impl Write>) {
    let shown = |text: &str| text.chars().take(80).collect::<String>();
    match collected(&object.kind, &object.api_version) {
        None if object.api_version.is_empty() => lines.skip(format!("{} is not collected", shown(&object.kind))),
        None => lines.skip(format!("{} of {} is not collected", shown(&object.kind), shown(&object.api_version))),
        Some(kind) => match mapped(kind, object, options, owners) {
            Ok(Rows::ReplicaSet { .. }) => {
                lines.skip("ReplicaSet has no table: it tells which pods belong to a Deployment");
            }
            Ok(Rows::Pod(row)) => lines.row(Table::GkePods, row),
            Ok(Rows::Deployment(row)) => lines.row(Table::GkeDeployments, row),
            Ok(Rows::Autoscaler(rows)) => rows.into_iter().for_each(|row| lines.row(Table::HpaData, row)),
            Ok(Rows::Node(row)) => lines.row(Table::GkeNodes, row),
            Ok(Rows::Cluster(row)) => lines.row(Table::GkeClusters, row),
            Ok(Rows::Document(row)) => lines.row(row.table(), row),
            Err(reject) => lines.reject(reject.reason),
        },
    }
}

/// The rows of an object: redacted as the snapshotter stores it, then as the normalizer maps it.
fn mapped(kind: Kind, object: &Object<'_>, options: &Options, owners: &Owners) -> Result<Rows, Reject> {
    let seat = Seat {
        cluster: options.cluster.clone(),
        snapshot_id: SNAPSHOT.into(),
        observed_at: options.at,
        label_keys: &LabelKeys::default(),
        owners: &owners.0,
        node_count: None,
    };
    let mut stored = Vec::with_capacity(object.json.get().len());
    match snapshotter::redaction::redact(object.json.get().as_bytes(), &mut stored) {
        Ok(_) => normalizer::map::object(kind, &stored, &seat),
        // What cannot be redacted has no rows; where the mapping cannot read it either, its sentence
        // says more.
        Err(error) => {
            let unmapped = normalizer::map::object(kind, object.json.get().as_bytes(), &seat).err();
            Err(unmapped.unwrap_or_else(|| Reject { object: None, reason: error.to_string() }))
        }
    }
}
