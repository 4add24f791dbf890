//! Nodes as rows of `gke_nodes`.

use platform::ports::Kind;
use schemas::GkeNodes;
use serde::Deserialize;

use crate::document::{Entries, Fault, List, Object, Text, decode, or_default, owned, text_of};
use crate::map::Seat;
use crate::metadata::{Metadata, WrittenCondition, condition, condition_rows, entries_json, expect_kind};
use crate::quantity::{Quantity, QuantityError};
use crate::resources::Amount;

/// Labels that name the zone, newest first.
const ZONE: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
/// Labels that name the machine type, newest first.
const INSTANCE_TYPE: [&str; 2] = ["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"];

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Node<'a> {
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    metadata: Object<Metadata<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: Object<Status<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Status<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    capacity: Object<Room<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    allocatable: Object<Room<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    conditions: List<WrittenCondition<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    node_info: Object<NodeInfo<'a>>,
}

/// What a node has.
#[derive(Default, Deserialize)]
#[serde(expecting = "an object")]
struct Room<'a> {
    #[serde(borrow, default)]
    cpu: Option<Amount<'a>>,
    #[serde(borrow, default)]
    memory: Option<Amount<'a>>,
    #[serde(borrow, default)]
    pods: Option<Amount<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct NodeInfo<'a> {
    #[serde(borrow, default)]
    os_image: Option<Text<'a>>,
    #[serde(borrow, default)]
    kernel_version: Option<Text<'a>>,
    #[serde(borrow, default)]
    kubelet_version: Option<Text<'a>>,
    #[serde(borrow, default)]
    container_runtime_version: Option<Text<'a>>,
}

/// The row of a node.
pub(crate) fn row(text: &str, seat: &Seat<'_>) -> Result<GkeNodes, Fault> {
    let Node { kind, metadata, status } = decode::<Object<_>>(text, "")?.0;
    expect_kind(&kind, Kind::Nodes)?;
    let Status { capacity, allocatable, conditions, node_info } = status.0;
    Ok(GkeNodes {
        cluster: seat.cluster.clone(),
        snapshot_id: seat.snapshot_id.clone(),
        observed_at: seat.observed_at,
        name: metadata.name()?.to_owned(),
        uid: metadata.uid()?,
        labels: metadata.labels_json()?,
        annotations: entries_json(&metadata.annotations()?)?,
        status: readiness(&conditions).to_owned(),
        conditions: condition_rows(&conditions),
        cpu_capacity: capacity.cpu.as_ref().map(|amount| amount.written.as_str().to_owned()),
        memory_capacity: capacity.memory.as_ref().map(|amount| amount.written.as_str().to_owned()),
        cpu_capacity_millicores: rounded(&capacity.cpu, "status.capacity.cpu", Quantity::milli_value)?,
        memory_capacity_bytes: rounded(&capacity.memory, "status.capacity.memory", Quantity::value)?,
        pod_capacity: rounded(&capacity.pods, "status.capacity.pods", Quantity::value)?,
        cpu_allocatable_millicores: rounded(&allocatable.cpu, "status.allocatable.cpu", Quantity::milli_value)?,
        memory_allocatable_bytes: rounded(&allocatable.memory, "status.allocatable.memory", Quantity::value)?,
        pod_allocatable: rounded(&allocatable.pods, "status.allocatable.pods", Quantity::value)?,
        os_image: owned(&node_info.os_image),
        kernel_version: owned(&node_info.kernel_version),
        kubelet_version: owned(&node_info.kubelet_version),
        container_runtime_version: owned(&node_info.container_runtime_version),
        zone: label(&metadata.labels, ZONE),
        instance_type: label(&metadata.labels, INSTANCE_TYPE),
        created_at: metadata.creation_timestamp.map(|moment| moment.0),
    })
}

/// Ready, NotReady, or Unknown also where the condition is absent.
fn readiness(conditions: &List<WrittenCondition<'_>>) -> &'static str {
    match condition(conditions, "Ready").and_then(|ready| text_of(&ready.status)) {
        Some("True") => "Ready",
        Some("False") => "NotReady",
        _ => "Unknown",
    }
}

/// An amount as a number.
fn rounded(
    amount: &Option<Amount<'_>>,
    path: &str,
    round: fn(Quantity) -> Result<i64, QuantityError>,
) -> Result<Option<i64>, Fault> {
    let Some(amount) = amount else { return Ok(None) };
    let out_of_range = |_| Fault::value(path, amount.written.as_str(), "a quantity within 64 bits");
    round(amount.quantity).map(Some).map_err(out_of_range)
}

/// The first of the labels that is set.
fn label(labels: &Entries<'_, Text<'_>>, keys: [&str; 2]) -> Option<String> {
    keys.iter().find_map(|key| labels.get(key)).map(|value| value.as_str().to_owned())
}

#[cfg(test)]
mod tests;
