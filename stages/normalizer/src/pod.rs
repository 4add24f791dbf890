//! Pods as rows of `gke_pods`.

use platform::ports::Kind;
use schemas::{GkePods, Json};
use serde::{Deserialize, Serialize};

use crate::document::{Count, Fault, List, Moment, Object, Text, Whole, decode, or_default, owned, present, text_of};
use crate::labels::labelled;
use crate::map::Seat;
use crate::metadata::{Metadata, expect_kind};
use crate::ownership::deployment_of;
use crate::resources::{Amounts, Container, Sums};

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Pod<'a> {
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
    #[serde(borrow, default)]
    node_name: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    containers: List<Container<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    init_containers: List<Container<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Status<'a> {
    #[serde(borrow, default)]
    phase: Option<Text<'a>>,
    #[serde(default)]
    start_time: Option<Moment>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    conditions: List<PodCondition<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    container_statuses: List<ContainerStatus<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    init_container_statuses: List<ContainerStatus<'a>>,
}

/// A condition, of which a pod's row needs only the answer.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct PodCondition<'a> {
    #[serde(borrow, default)]
    r#type: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct ContainerStatus<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    restart_count: Option<Count>,
}

/// A container as the `containers` column shows it.
#[derive(Serialize)]
struct ShownContainer<'c, 'a> {
    name: Option<&'c str>,
    image: Option<&'c str>,
    requests: Option<&'c Amounts<'a>>,
    limits: Option<&'c Amounts<'a>>,
}

/// The row of a pod.
pub(crate) fn row(text: &str, seat: &Seat<'_>) -> Result<GkePods, Fault> {
    let Pod { kind, metadata, spec, status } = decode::<Object<_>>(text, "")?.0;
    expect_kind(&kind, Kind::Pods)?;
    let sums = Sums::of(&spec.containers, &spec.init_containers)?;
    let (deployment_name, owner_method) = deployment_of(&metadata, seat.owners);
    let owner = metadata.controller();
    Ok(GkePods {
        cluster: seat.cluster.clone(),
        snapshot_id: seat.snapshot_id.clone(),
        observed_at: seat.observed_at,
        namespace: metadata.namespace()?.to_owned(),
        name: metadata.name()?.to_owned(),
        uid: metadata.uid()?,
        phase: owned(&status.phase),
        node_name: owned(&spec.node_name),
        deployment_name,
        owner_kind: owner.and_then(|owner| owned(&owner.kind)),
        owner_name: owner.and_then(|owner| owned(&owner.name)),
        owner_method: owner_method.as_str().to_owned(),
        created_at: metadata.creation_timestamp.map(|moment| moment.0),
        started_at: status.start_time.map(|moment| moment.0),
        ready: is_ready(&status.conditions),
        restart_count: restarts(&spec, &status),
        terminating: metadata.deletion_timestamp.is_some(),
        cpu_request_millicores: sums.cpu_request,
        cpu_limit_millicores: sums.cpu_limit,
        memory_request_bytes: sums.memory_request,
        memory_limit_bytes: sums.memory_limit,
        containers: shown(&spec.containers)?,
        api_id: labelled(&metadata.labels, &seat.label_keys.api_id),
        team_id: labelled(&metadata.labels, &seat.label_keys.team_id),
        labels: metadata.labels_json()?,
    })
}

/// Whether the condition Ready is True; absent is false.
fn is_ready(conditions: &List<PodCondition<'_>>) -> bool {
    let ready = present(conditions).find(|condition| text_of(&condition.r#type) == Some("Ready"));
    ready.is_some_and(|condition| text_of(&condition.status) == Some("True"))
}

/// Restarts of regular and restartable init containers. Counts are 32 bits wide each, so that the
/// sum over a line cannot leave 64 bits.
fn restarts(spec: &Spec<'_>, status: &Status<'_>) -> i64 {
    let restartable = |status: &&ContainerStatus<'_>| {
        let name = text_of(&status.name);
        present(&spec.init_containers).any(|init| init.is_restartable() && text_of(&init.name) == name)
    };
    let has_sidecars = present(&spec.init_containers).any(Container::is_restartable);
    let init = present(&status.init_container_statuses).filter(|_| has_sidecars).filter(restartable);
    let restarts = present(&status.container_statuses).chain(init).filter_map(|status| status.restart_count);
    restarts.fold(0, |sum, Whole(count)| sum + count)
}

/// The regular containers as JSON; none where there are none.
fn shown(containers: &List<Container<'_>>) -> Result<Option<Json>, Fault> {
    let shown: Vec<ShownContainer<'_, '_>> = present(containers)
        .map(|container| ShownContainer {
            name: text_of(&container.name),
            image: text_of(&container.image),
            requests: container.resources.requests.as_ref(),
            limits: container.resources.limits.as_ref(),
        })
        .collect();
    if shown.is_empty() {
        return Ok(None);
    }
    Json::of(&shown).map(Some).map_err(|error| Fault(error.to_string()))
}

#[cfg(test)]
mod tests;
