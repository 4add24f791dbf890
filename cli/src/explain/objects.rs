//! Kubernetes objects as rows: the one place that calls the normalizer's mapping.

use std::io::Write;

use platform::ports::Kind;
use schemas::Table;

use super::Options;
use super::item::Object;
use super::line::Lines;

/// `ReplicaSets` of all files, through which pods belong to Deployments.
#[derive(Default)]
pub(super) struct Owners {}

impl Owners {
    /// Remembers an object that owns others.
    pub(super) fn learn(&mut self, _object: &Object<'_>) {}
}

/// Whether the pipeline collects objects of a kind; an API version that is missing counts as the
/// right one, since items of lists lack it and people get it wrong.
pub fn is_collected(kind: &str, api_version: &str) -> bool {
    collected(kind, api_version).is_some()
}

/// The kind of an object that the pipeline collects.
fn collected(kind: &str, api_version: &str) -> Option<Kind> {
    let found = Kind::of_object(kind)?;
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let served = match found {
        Kind::Pods | Kind::Nodes => group.is_empty(),
        Kind::Deployments | Kind::ReplicaSets => matches!(group, "" | "apps" | "extensions"),
        Kind::HorizontalPodAutoscalers => matches!(group, "" | "autoscaling"),
        Kind::Clusters | Kind::Unreadable => false,
    };
    served.then_some(found)
}

/// Writes the lines of an object.
pub(super) fn explain(object: &Object<'_>, options: &Options, owners: &Owners, lines: &mut Lines<'_, impl Write>) {
    let shown = |text: &str| text.chars().take(80).collect::<String>();
    match collected(&object.kind, &object.api_version) {
        None if object.api_version.is_empty() => lines.skip(format!("{} is not collected", shown(&object.kind))),
        None => lines.skip(format!("{} of {} is not collected", shown(&object.kind), shown(&object.api_version))),
        Some(Kind::ReplicaSets) => lines.skip("ReplicaSet has no table: it tells which pods belong to a Deployment"),
        Some(kind) => match mapped(kind, object, options, owners) {
            Ok(rows) => rows.into_iter().for_each(|(table, row)| lines.row(table, row)),
            Err(reason) => lines.reject(reason),
        },
    }
}

/// The rows of an object, as the normalizer makes them.
fn mapped(
    kind: Kind,
    object: &Object<'_>,
    _options: &Options,
    _owners: &Owners,
) -> Result<Vec<(Table, serde_json::Value)>, String> {
    serde_json::from_str::<serde_json::Value>(object.json.get())
        .map_err(|error| format!("{}: {error}", object.kind))?;
    Err(format!("{kind}: this build does not map objects"))
}
