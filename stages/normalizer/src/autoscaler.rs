//! HorizontalPodAutoscalers as rows of `hpa_data`, one per metric, at least one.
//!
//! The four shapes (`autoscaling/v1` with the rest in annotations, `v2beta1`, `v2beta2`, `v2`) are
//! read by shape and not by version, since real dumps mix them. Source: the autoscaling API
//! reference of each version.

mod metric;
mod shape;

use platform::ports::Kind;
use schemas::{HpaData, Json};
use serde_json::value::RawValue;

use crate::document::{Entries, Fault, List, Object, Text, Whole, decode, embedded, owned, present, storable};
use crate::labels::labelled;
use crate::map::Seat;
use crate::metadata::{WrittenCondition, condition_rows, expect_kind};
use metric::{Measured, Metric, Target};
use shape::{Autoscaler, Entry, Spec, Status};

/// `spec.minReplicas` where absent.
const DEFAULT_MIN_REPLICAS: i64 = 1;
/// Most bytes the rows of one autoscaler may take: each repeats what all have in common.
const MAX_EXPANDED_BYTES: usize = 64 << 20;
/// What `autoscaling/v1` cannot express, as JSON in annotations.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// The annotations that hold parts of an autoscaler.
struct Annotated<'a> {
    metrics: Option<List<Entry<'a>>>,
    current_metrics: Option<List<Entry<'a>>>,
    conditions: Option<List<WrittenCondition<'a>>>,
    behavior: Option<&'a RawValue>,
}

impl<'a> Annotated<'a> {
    fn read(annotations: &'a Entries<'_, Text<'_>>) -> Result<Self, Fault> {
        let text = |key: &str| annotations.get(key).map(Text::as_str);
        let at = |key: &str| format!("metadata.annotations[\"{key}\"]");
        Ok(Self {
            metrics: embedded(text(METRICS), &at(METRICS))?,
            current_metrics: embedded(text(CURRENT_METRICS), &at(CURRENT_METRICS))?,
            conditions: embedded(text(CONDITIONS), &at(CONDITIONS))?,
            behavior: embedded(text(BEHAVIOR), &at(BEHAVIOR))?,
        })
    }
}

/// The rows of an autoscaler.
pub(crate) fn rows(text: &str, seat: &Seat<'_>) -> Result<Vec<HpaData>, Fault> {
    let Autoscaler { kind, metadata, spec, status } = decode::<Object<_>>(text, "")?.0;
    expect_kind(&kind, Kind::HorizontalPodAutoscalers)?;
    let annotations = metadata.annotations()?;
    let annotated = Annotated::read(&annotations)?;
    let conditions = written_or(status.as_deref().and_then(|status| status.conditions.as_ref()), &annotated.conditions);
    let frame = HpaData {
        cluster: seat.cluster.clone(),
        snapshot_id: seat.snapshot_id.clone(),
        observed_at: seat.observed_at,
        name: metadata.name()?.to_owned(),
        namespace: metadata.namespace()?.to_owned(),
        creation_timestamp: metadata.creation_timestamp.map(|moment| moment.0),
        resource_version: owned(&metadata.resource_version),
        uid: metadata.uid()?,
        scale_target_kind: owned(&spec.scale_target_ref.kind),
        scale_target_name: owned(&spec.scale_target_ref.name),
        min_replicas: Some(spec.min_replicas.map_or(DEFAULT_MIN_REPLICAS, |Whole(replicas)| replicas)),
        max_replicas: spec.max_replicas.map(|Whole(replicas)| replicas),
        metric_type: None,
        metric_name: None,
        target_utilization: None,
        current_utilization: None,
        current_value: None,
        // A count of a status that is there is absent when zero; without a status nothing is known.
        current_replicas: status.as_deref().map(|status| status.current_replicas.0),
        desired_replicas: status.as_deref().map(|status| status.desired_replicas.0),
        last_scale_time: status.as_deref().and_then(|status| status.last_scale_time).map(|moment| moment.0),
        scaling_conditions: conditions.map(|conditions| condition_rows(conditions)).unwrap_or_default(),
        metric_index: None,
        metric_container: None,
        metric_selector: None,
        target_type: None,
        target_value: None,
        behavior: behavior(&spec, &annotated)?,
        api_id: labelled(&metadata.labels, &seat.label_keys.api_id),
        team_id: labelled(&metadata.labels, &seat.label_keys.team_id),
        labels: metadata.labels_json()?,
    };
    let targets = targets(&spec, &annotated);
    if targets.len().saturating_mul(text.len()) > MAX_EXPANDED_BYTES {
        let count = targets.len().to_string();
        return Err(Fault::value("the number of metrics", &count, "fewer for an object of this size"));
    }
    if targets.is_empty() {
        return Ok(vec![frame]);
    }
    let measured = measured(status.as_deref(), &annotated);
    targets.iter().map(|target| row(&frame, target, &measured, status.as_deref())).collect()
}

/// One row: what all have in common, one target, and its measurement.
fn row(
    frame: &HpaData,
    target: &Target<'_, '_>,
    measured: &[Measured<'_, '_>],
    status: Option<&Status<'_>>,
) -> Result<HpaData, Fault> {
    let Metric { r#type, name, container, selector, .. } = &target.metric;
    let current = measured.iter().find(|measured| measured.is_of(target));
    let of_cpu = target.metric.is_cpu().then(|| status?.current_cpu_utilization_percentage).flatten();
    let selector = selector.map(|raw| storable(raw, &format!("{}.selector", target.path()))).transpose()?;
    Ok(HpaData {
        metric_type: r#type.map(str::to_owned),
        metric_name: name.map(str::to_owned),
        target_utilization: target.utilization,
        current_utilization: current.and_then(|current| current.utilization).or(of_cpu.map(|Whole(percent)| percent)),
        current_value: current.and_then(|current| current.value).map(str::to_owned),
        metric_index: Some(target.index),
        metric_container: container.map(str::to_owned),
        metric_selector: selector,
        target_type: target.r#type.map(str::to_owned),
        target_value: target.value.map(str::to_owned),
        ..frame.clone()
    })
}

/// What is written in the object itself, else what an annotation holds.
fn written_or<'l, T>(written: Option<&'l List<T>>, annotated: &'l Option<List<T>>) -> Option<&'l List<T>> {
    written.filter(|list| present(list).next().is_some()).or(annotated.as_ref())
}

/// The metrics to reach. `targetCPUUtilizationPercentage` is one more, behind the others as
/// Kubernetes converts it, unless the list already says the same.
fn targets<'o, 'a>(spec: &'o Spec<'a>, annotated: &'o Annotated<'a>) -> Vec<Target<'o, 'a>> {
    let listed = written_or(spec.metrics.as_ref(), &annotated.metrics);
    let listed = listed.into_iter().flatten().enumerate();
    let mut targets: Vec<Target<'_, '_>> =
        listed.filter_map(|(index, entry)| Target::of(index, entry.as_ref()?)).collect();
    if let Some(Whole(percent)) = spec.target_cpu_utilization_percentage {
        let said = |target: &Target<'_, '_>| target.metric.is_cpu() && target.utilization == Some(percent);
        if !targets.iter().any(said) {
            let behind = targets.last().map_or(0, |last| last.index.saturating_add(1));
            targets.push(Target::of_cpu(behind, percent));
        }
    }
    targets
}

/// The measurements of the status.
fn measured<'o, 'a>(status: Option<&'o Status<'a>>, annotated: &'o Annotated<'a>) -> Vec<Measured<'o, 'a>> {
    let written = status.and_then(|status| status.current_metrics.as_ref());
    written_or(written, &annotated.current_metrics)
        .map(|list| present(list).map(Measured::of).collect())
        .unwrap_or_default()
}

/// The scaling behaviour as JSON.
fn behavior(spec: &Spec<'_>, annotated: &Annotated<'_>) -> Result<Option<Json>, Fault> {
    match (spec.behavior, annotated.behavior) {
        (Some(written), _) => storable(written, "spec.behavior").map(Some),
        (None, Some(written)) => storable(written, &format!("metadata.annotations[\"{BEHAVIOR}\"]")).map(Some),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
