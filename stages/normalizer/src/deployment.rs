//! Deployments as rows of `gke_deployments`. Those of `extensions/v1beta1` and `apps/v1beta1|2`
//! have the same fields and are read alike.

mod rollout;

use platform::ports::Kind;
use schemas::GkeDeployments;
use serde::Deserialize;

use crate::document::{Count, Fault, List, Object, Scalar, Text, Whole, decode, or_default, owned, present, text_of};
use crate::labels::labelled;
use crate::map::Seat;
use crate::metadata::{Metadata, WrittenCondition, condition, condition_rows, expect_kind};
use crate::resources::{Amounts, Container, Sums};
use rollout::Rollout;

/// `spec.replicas` where absent (Deployment API reference).
const DEFAULT_REPLICAS: i64 = 1;
/// `spec.progressDeadlineSeconds` where absent (`apps/v1`).
const DEFAULT_PROGRESS_DEADLINE_SECONDS: i64 = 600;
/// `spec.strategy.type` where absent.
const DEFAULT_STRATEGY: &str = "RollingUpdate";
/// `maxSurge` and `maxUnavailable` where absent.
const DEFAULT_SHARE: &str = "25%";

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Deployment<'a> {
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    metadata: Object<Metadata<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Object<Spec<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: Object<Status<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Spec<'a> {
    #[serde(default)]
    replicas: Option<Count>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    strategy: Object<Strategy<'a>>,
    #[serde(default)]
    progress_deadline_seconds: Option<Count>,
    #[serde(default)]
    paused: Option<bool>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    template: Object<Template<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Strategy<'a> {
    #[serde(borrow, default)]
    r#type: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    rolling_update: Object<RollingUpdate<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct RollingUpdate<'a> {
    #[serde(borrow, default)]
    max_surge: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    max_unavailable: Option<Scalar<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(expecting = "an object")]
struct Template<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Object<PodSpec<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct PodSpec<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    containers: List<Container<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    init_containers: List<Container<'a>>,
}

/// Counts that are zero are absent.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Status<'a> {
    #[serde(default)]
    observed_generation: Option<Whole<{ i64::MAX }>>,
    #[serde(default, deserialize_with = "or_default")]
    replicas: Count,
    #[serde(default, deserialize_with = "or_default")]
    ready_replicas: Count,
    #[serde(default, deserialize_with = "or_default")]
    available_replicas: Count,
    #[serde(default, deserialize_with = "or_default")]
    updated_replicas: Count,
    #[serde(default, deserialize_with = "or_default")]
    unavailable_replicas: Count,
    #[serde(borrow, default, deserialize_with = "or_default")]
    conditions: List<WrittenCondition<'a>>,
}

/// The row of a Deployment.
pub(crate) fn row(text: &str, seat: &Seat<'_>) -> Result<GkeDeployments, Fault> {
    let Deployment { kind, metadata, spec, status } = decode::<Object<_>>(text, "")?.0;
    expect_kind(&kind, Kind::Deployments)?;
    let pods = &spec.template.spec;
    let sums = Sums::of(&pods.containers, &pods.init_containers)?;
    let first = present(&pods.containers).next();
    let desired = spec.replicas.map_or(DEFAULT_REPLICAS, |Whole(replicas)| replicas);
    let paused = spec.paused.unwrap_or(false);
    let progressing = Rollout {
        generation: metadata.generation.map(|Whole(generation)| generation),
        observed_generation: status.observed_generation.map(|Whole(generation)| generation),
        paused,
        desired,
        actual: status.replicas.0,
        updated: status.updated_replicas.0,
        available: status.available_replicas.0,
        condition: condition(&status.conditions, "Progressing"),
    }
    .progressing();
    Ok(GkeDeployments {
        cluster: seat.cluster.clone(),
        snapshot_id: seat.snapshot_id.clone(),
        observed_at: seat.observed_at,
        namespace: metadata.namespace()?.to_owned(),
        name: metadata.name()?.to_owned(),
        uid: metadata.uid()?,
        generation: metadata.generation.map(|Whole(generation)| generation),
        observed_generation: status.observed_generation.map(|Whole(generation)| generation),
        created_at: metadata.creation_timestamp.map(|moment| moment.0),
        desired_replicas: desired,
        actual_replicas: status.replicas.0,
        ready_replicas: status.ready_replicas.0,
        available_replicas: status.available_replicas.0,
        updated_replicas: status.updated_replicas.0,
        unavailable_replicas: status.unavailable_replicas.0,
        // To the API an empty word is an absent one.
        strategy: text_of(&spec.strategy.r#type).filter(|word| !word.is_empty()).unwrap_or(DEFAULT_STRATEGY).to_owned(),
        max_surge: share(&spec.strategy, &spec.strategy.rolling_update.max_surge),
        max_unavailable: share(&spec.strategy, &spec.strategy.rolling_update.max_unavailable),
        progress_deadline_seconds: Some(
            spec.progress_deadline_seconds.map_or(DEFAULT_PROGRESS_DEADLINE_SECONDS, |Whole(seconds)| seconds),
        ),
        paused,
        progressing: progressing.is_some(),
        progressing_since: progressing.flatten(),
        image: first.and_then(|container| owned(&container.image)),
        resource_limits_cpu: as_written(first.and_then(|container| container.resources.limits.as_ref()), "cpu"),
        resource_limits_memory: as_written(first.and_then(|container| container.resources.limits.as_ref()), "memory"),
        resource_requests_cpu: as_written(first.and_then(|container| container.resources.requests.as_ref()), "cpu"),
        resource_requests_memory: as_written(
            first.and_then(|container| container.resources.requests.as_ref()),
            "memory",
        ),
        cpu_request_millicores: sums.cpu_request,
        cpu_limit_millicores: sums.cpu_limit,
        memory_request_bytes: sums.memory_request,
        memory_limit_bytes: sums.memory_limit,
        api_id: labelled(&metadata.labels, &seat.label_keys.api_id),
        team_id: labelled(&metadata.labels, &seat.label_keys.team_id),
        labels: metadata.labels_json()?,
        conditions: condition_rows(&status.conditions),
    })
}

/// `maxSurge` or `maxUnavailable` as written, the API's default where absent, none for Recreate.
fn share(strategy: &Strategy<'_>, written: &Option<Scalar<'_>>) -> Option<String> {
    if text_of(&strategy.r#type) == Some("Recreate") {
        return None;
    }
    Some(written.as_ref().map_or(DEFAULT_SHARE, Scalar::as_str).to_owned())
}

/// An amount of the first container as written.
fn as_written(amounts: Option<&Amounts<'_>>, resource: &str) -> Option<String> {
    amounts.and_then(|amounts| amounts.as_written(resource))
}

#[cfg(test)]
mod tests;
